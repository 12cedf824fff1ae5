use canstop::Lifecycle;

#[canstop::service(start_timeout = "30")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

use canstop::Lifecycle;

#[canstop::service(blocking)]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

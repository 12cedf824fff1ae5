use canstop::Lifecycle;

#[canstop::service(manual = true)]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

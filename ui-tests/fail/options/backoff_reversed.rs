use canstop::Lifecycle;

#[canstop::service(backoff = "10s..100ms")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

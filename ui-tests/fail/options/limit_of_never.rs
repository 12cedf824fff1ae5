use canstop::Lifecycle;

#[canstop::service(restart = "never", limit = "5 in 30s")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

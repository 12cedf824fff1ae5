use canstop::Lifecycle;

#[canstop::service(limit = "5 per 30s")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

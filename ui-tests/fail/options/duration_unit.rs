use canstop::Lifecycle;

#[canstop::service(grace = "5 seconds")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

use canstop::Lifecycle;

#[canstop::service(grace = "0s")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

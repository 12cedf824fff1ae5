use canstop::Lifecycle;

#[canstop::service(grace = "5s", grace = "6s")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

use canstop::Lifecycle;

#[canstop::service(colour = "red")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

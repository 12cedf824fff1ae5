use canstop::Lifecycle;

#[canstop::service(restart = "allways")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

use canstop::Lifecycle;

#[canstop::service(graec = "5s")]
async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

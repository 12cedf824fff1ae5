use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: &Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

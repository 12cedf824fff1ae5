use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> u32 {
    lifecycle.stopping().await;
    7
}

fn main() {}

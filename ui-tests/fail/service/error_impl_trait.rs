use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> Result<(), impl std::fmt::Debug> {
    lifecycle.stopping().await;
    Err(1)
}

fn main() {}

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> anyhow::Result<u32> {
    lifecycle.stopping().await;
    Ok(7)
}

fn main() {}

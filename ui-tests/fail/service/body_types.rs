use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> std::io::Result<()> {
    lifecycle.stopping().await;
    Ok("done")
}

fn main() {}

use std::error::Error;

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> Result<(), Box<dyn Error>> {
    lifecycle.stopping().await;
    Ok(())
}

fn main() {}

//! tokio-graceful-shutdown.

use std::time::Duration;

use tokio_graceful_shutdown::{FutureExt, SubsystemBuilder, SubsystemHandle, Toplevel};

#[tokio::main]
async fn main() -> miette::Result<()> {
    Toplevel::new(async |top: &mut SubsystemHandle| {
        top.start(SubsystemBuilder::new("collector", collector));
    })
    .catch_signals()
    .handle_shutdown_requests(Duration::from_secs(5))
    .await
    .map_err(Into::into)
}

async fn collector(subsys: &mut SubsystemHandle) -> miette::Result<()> {
    while let Ok(sample) = next_sample().cancel_on_shutdown(subsys).await {
        store(sample).await;
    }
    Ok(())
}

async fn next_sample() -> u32 {
    std::future::pending().await
}

async fn store(_sample: u32) {}

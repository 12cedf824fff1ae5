//! task-supervisor.

use std::time::Duration;

use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, TaskResult};
use tokio::time::sleep;

#[derive(Clone)]
struct Poller;

impl SupervisedTask for Poller {
    async fn run(self, cancel: CancellationToken) -> TaskResult {
        while let Some(()) = cancel.run_until_cancelled(sleep(Duration::from_secs(1))).await {
            poll().await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let handle = SupervisorBuilder::new().with_task("poller", Poller).spawn();
    tokio::signal::ctrl_c().await?;
    handle.shutdown().await?;
    Ok(())
}

async fn poll() -> std::io::Result<()> {
    Ok(())
}

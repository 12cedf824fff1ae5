//! The services that do the jobs.

use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use tokio::time::sleep;

use crate::table::{Job, Runner, Table};

/// How long a worker that found no job waits before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a worker needs to know.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) table: Table,
    pub(crate) runner: Runner,
    /// How long the bank takes to check a payment.
    pub(crate) check_time: Duration,
}

/// Does one job after the other. When it is told to stop it takes no new one, and finishes what it has.
#[canstop::service(after(returns))]
pub(crate) async fn worker(lifecycle: Lifecycle, work: Work) -> sqlx::Result<()> {
    while !lifecycle.is_stopping() {
        // It is not cut off by the stop: the job could have been taken already.
        match work.table.claim(work.runner).await? {
            Some(job) => {
                tracing::debug!("job {}: begun", job.id);
                // If it fails it is reported there, and the job is free again when its lease is over.
                let _ = spawn_session!("job", perform(work.clone(), job)).await;
            }
            None => {
                lifecycle.run_until_stopping(sleep(LOOK_AGAIN)).await;
            }
        }
    }
    Ok(())
}

/// Does a job, and keeps its lease meanwhile.
async fn perform(work: Work, job: Job) -> sqlx::Result<()> {
    let Work { table, runner, check_time } = work;
    let still_held = tokio::select! {
        () = check(job, check_time) => true,
        lost = keep_lease(&table, job, runner) => { lost?; false }
    };
    if still_held && table.complete(job, runner).await? {
        tracing::debug!("job {}: done", job.id);
    } else {
        tracing::warn!("job {}: its lease was over before it was done; it is somebody else's", job.id);
    }
    Ok(())
}

/// Asks the bank about a payment. Its answer takes its time, and is yes.
async fn check(_job: Job, check_time: Duration) {
    sleep(check_time).await;
}

/// Returns when the lease is lost.
async fn keep_lease(table: &Table, job: Job, runner: Runner) -> sqlx::Result<()> {
    loop {
        sleep(runner.lease / 3).await;
        if !table.renew(job, runner).await? {
            return Ok(());
        }
    }
}

/// Hands back, when all workers have stopped, the jobs that they were cut off from.
///
/// The workers come `after` it, so it is told last, and has time that no job can use up. Without it the
/// jobs would be free again all the same, when their leases are over.
#[canstop::service(grace = "1s")]
pub(crate) async fn returns(lifecycle: Lifecycle, work: Work) -> sqlx::Result<()> {
    lifecycle.stopping().await;
    let count = work.table.hand_back(work.runner).await?;
    if count > 0 {
        tracing::warn!("{count} jobs go back to the queue");
    }
    Ok(())
}

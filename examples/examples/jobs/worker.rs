//! The services that run the jobs.

use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use tokio::time::sleep;

use crate::table::{Job, Runner, Table};

/// How long a worker that found no job waits before it tries again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a worker needs to run jobs.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) table: Table,
    pub(crate) runner: Runner,
    /// How long the bank takes to check a payment.
    pub(crate) check_time: Duration,
}

/// Runs one job after the other. At a stop it takes no new job, and finishes the one it has.
#[canstop::service(after(returns))]
pub(crate) async fn worker(lifecycle: Lifecycle, work: Work) -> sqlx::Result<()> {
    while !lifecycle.is_stopping() {
        // The stop does not interrupt this call: the job could have been leased already.
        match work.table.claim(work.runner).await? {
            Some(job) => {
                tracing::debug!("job {}: begun", job.id);
                // canstop reports a failure of the session; the job is free again when its lease expires.
                let _ = spawn_session!("job", perform(work.clone(), job)).await;
            }
            None => {
                lifecycle.run_until_stopping(sleep(LOOK_AGAIN)).await;
            }
        }
    }
    Ok(())
}

/// Runs a job, and renews its lease meanwhile.
async fn perform(work: Work, job: Job) -> sqlx::Result<()> {
    let Work { table, runner, check_time } = work;
    let still_held = tokio::select! {
        () = check(job, check_time) => true,
        lost = keep_lease(&table, job, runner) => { lost?; false }
    };
    if still_held && table.complete(job, runner).await? {
        tracing::debug!("job {}: done", job.id);
    } else {
        tracing::warn!("job {}: its lease expired before it was done; another process has the job", job.id);
    }
    Ok(())
}

/// Asks the bank about a payment. The bank answers yes, after `check_time`.
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

/// Returns interrupted jobs to the queue, when all workers have stopped.
///
/// The workers name it in `after`, so it stops last, in time reserved for it, which no job can use up. Without
/// it, the jobs would be free again when their leases expire.
#[canstop::service(grace = "1s")]
pub(crate) async fn returns(lifecycle: Lifecycle, work: Work) -> sqlx::Result<()> {
    lifecycle.stopping().await;
    let count = work.table.hand_back(work.runner).await?;
    if count > 0 {
        tracing::warn!("{count} jobs returned to the queue");
    }
    Ok(())
}

//! Every job is done once, wherever the stop comes.

#[allow(dead_code, reason = "the test needs a part of the example")]
#[path = "../examples/jobs/table/mod.rs"]
mod table;
#[allow(dead_code, reason = "the test needs a part of the example")]
#[path = "../examples/jobs/worker.rs"]
mod worker;

use std::time::Duration;

use canstop::testing::Supervisor;
use canstop_examples::{Database, ScratchFolder, paced};
use sqlx::sqlite::SqlitePool;
use uuid::Uuid;

use crate::table::{Runner, Table};
use crate::worker::{Work, returns, worker};

const JOBS: u32 = 4;
const LEASE: Duration = Duration::from_millis(50);

fn work(table: &Table) -> Work {
    let runner = Runner { mark: Uuid::now_v7(), lease: LEASE };
    Work { table: table.clone(), runner, check_time: Duration::from_millis(1) }
}

/// Runs a process until it has done all jobs or is stopped.
async fn run_process(sup: &mut Supervisor, table: &Table) {
    let work = work(table);
    sup.start(returns(work.clone()));
    for number in 1..=2 {
        sup.start(worker(work.clone()).name(format!("worker-{number}")));
    }
    let root = sup.lifecycle();
    while !root.is_draining() && table.stats().await.expect("the stats").done < JOBS.into() {
        sup.advance(Duration::from_millis(1)).await;
    }
    let _ = sup.stop().await;
}

/// What the next process does: it takes the jobs whose leases have expired.
async fn finish(table: &Table) {
    let next = work(table);
    let is_open = async || table.stats().await.expect("the stats").done < JOBS.into();
    while is_open().await {
        if let Some(job) = table.claim(next.runner).await.expect("the table") {
            assert!(table.complete(job, next.runner).await.expect("the table"), "no other runner has its lease");
        }
    }
}

fn pool(table: &Table) -> &SqlitePool {
    let Table::Sqlite(pool) = table else { unreachable!("the table is in a file") };
    pool
}

async fn bookings(table: &Table) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM bookings").fetch_one(pool(table)).await.expect("a count")
}

async fn close(table: Table) {
    pool(&table).close().await;
}

#[canstop::test(stop = "everywhere", abandon = "everywhere", limit = 40)]
async fn a_stop_at_any_poll_does_each_job_once(mut sup: Supervisor) {
    let folder = ScratchFolder::new_in(env!("CARGO_TARGET_TMPDIR"));
    let database: Database = format!("sqlite:{}", folder.path().join("jobs.db").display()).parse().expect("a database");
    paced(async {
        let table = Table::open(&database, 1).await.expect("a table");
        table.enqueue(JOBS).await.expect("the jobs");
        run_process(&mut sup, &table).await;
        // An abandoned process has ended, and its connections with it.
        close(table).await;
        let table = Table::open(&database, 1).await.expect("a table");
        // A second booking of a job would violate a constraint, and fail.
        finish(&table).await;
        let stats = table.stats().await.expect("the stats");
        assert_eq!((stats.queued, stats.running, stats.done), (0, 0, JOBS.into()));
        assert_eq!(bookings(&table).await, i64::from(JOBS), "each job is booked once");
        close(table).await;
    })
    .await;
}

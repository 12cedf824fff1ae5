//! The job table, in SQLite or PostgreSQL.
//!
//! A job is `queued`, then `running`, then `done`. The process that runs it holds a lease: its id is in the
//! job's row. When the lease expires, the job is free again, so a job survives the process that runs it. One
//! transaction marks a job as done and applies its effect, and only if the lease is still held; so the effect
//! happens exactly once, even if two processes have worked on the job.

mod postgres;
mod sqlite;

use std::time::Duration;

use canstop_examples::Database;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use uuid::Uuid;

/// A job's row: id, account and cents.
type JobRow = (i64, i64, i64);

#[derive(Clone)]
pub(crate) enum Table {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A payment to book.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) account: i64,
    pub(crate) cents: i64,
}

/// A process that runs jobs, and the length of its leases.
#[derive(Clone, Copy)]
pub(crate) struct Runner {
    /// Random, chosen when the process starts.
    pub(crate) mark: Uuid,
    pub(crate) lease: Duration,
}

#[derive(Clone, Copy)]
pub(crate) struct Stats {
    pub(crate) queued: i64,
    pub(crate) running: i64,
    pub(crate) done: i64,
}

impl Table {
    /// Creates the tables if they do not exist.
    pub(crate) async fn open(database: &Database, connections: u32) -> sqlx::Result<Self> {
        match database {
            // SQLite has one writer at a time. The pool's queue is fair, waiting for SQLite's lock is not; so the
            // pool has one connection.
            Database::Sqlite(options) => {
                let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
                sqlite::create_tables(&pool).await?;
                Ok(Table::Sqlite(pool))
            }
            Database::Postgres(options) => {
                let mut first = options.connect().await?;
                postgres::create_tables(&mut first).await?;
                let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(Database::ANSWER);
                Ok(Table::Postgres(pool.connect_lazy_with(options.clone())))
            }
        }
    }

    /// Adds `count` jobs.
    pub(crate) async fn enqueue(&self, count: u32) -> sqlx::Result<()> {
        match self {
            Table::Sqlite(pool) => sqlite::enqueue(pool, count.into()).await,
            Table::Postgres(pool) => postgres::enqueue(pool, count.into()).await,
        }
    }

    /// Leases the first free job. No two callers get the same one.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a job may have been leased, and is free again when its lease expires.
    pub(crate) async fn claim(&self, runner: Runner) -> sqlx::Result<Option<Job>> {
        let claimed = match self {
            Table::Sqlite(pool) => sqlite::claim(pool, runner).await?,
            Table::Postgres(pool) => postgres::claim(pool, runner).await?,
        };
        Ok(claimed.map(|(id, account, cents)| Job { id, account, cents }))
    }

    /// Renews the lease of a job. Returns `false` if the lease is lost: another process has the job.
    pub(crate) async fn renew(&self, job: Job, runner: Runner) -> sqlx::Result<bool> {
        match self {
            Table::Sqlite(pool) => sqlite::renew(pool, job, runner).await,
            Table::Postgres(pool) => postgres::renew(pool, job, runner).await,
        }
    }

    /// Books the payment and marks the job as done, in one transaction. Returns `false` if the lease was lost and
    /// nothing was booked.
    pub(crate) async fn complete(&self, job: Job, runner: Runner) -> sqlx::Result<bool> {
        match self {
            Table::Sqlite(pool) => sqlite::complete(pool, job, runner).await,
            Table::Postgres(pool) => postgres::complete(pool, job, runner).await,
        }
    }

    /// Returns all jobs of this process to the queue, and the number of them.
    pub(crate) async fn hand_back(&self, runner: Runner) -> sqlx::Result<u64> {
        match self {
            Table::Sqlite(pool) => sqlite::hand_back(pool, runner).await,
            Table::Postgres(pool) => postgres::hand_back(pool, runner).await,
        }
    }

    pub(crate) async fn stats(&self) -> sqlx::Result<Stats> {
        const STATS: &str = "SELECT
            COUNT(CASE WHEN state = 'queued' THEN 1 END) AS queued,
            COUNT(CASE WHEN state = 'running' THEN 1 END) AS running,
            COUNT(CASE WHEN state = 'done' THEN 1 END) AS done
            FROM jobs";
        let (queued, running, done) = match self {
            Table::Sqlite(pool) => sqlx::query_as(STATS).fetch_one(pool).await?,
            Table::Postgres(pool) => sqlx::query_as(STATS).fetch_one(pool).await?,
        };
        Ok(Stats { queued, running, done })
    }
}

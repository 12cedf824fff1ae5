//! The job table, in SQLite or PostgreSQL.
//!
//! A job is `queued`, then `running` for a while, then `done`. Who runs it holds a lease, and its mark
//! stands in the row. When the lease is over the job is free again, so it survives whoever runs it. A
//! job is done in one transaction with its effect, and only by him whose mark stands there; so the
//! effect is there exactly once, even if two processes have worked on it.

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

/// A payment that is to be booked.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) account: i64,
    pub(crate) cents: i64,
}

/// Who runs jobs, and how long he may be silent before they are somebody else's.
#[derive(Clone, Copy)]
pub(crate) struct Runner {
    /// Made anew by each process.
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
    /// Makes the tables, where they are not there.
    pub(crate) async fn open(database: &Database, connections: u32) -> sqlx::Result<Self> {
        match database {
            // One connection, because SQLite has one writer at a time: those who wait for a connection
            // have their turn, those who wait for SQLite's lock try their luck.
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

    /// Adds so many jobs.
    pub(crate) async fn enqueue(&self, count: u32) -> sqlx::Result<()> {
        match self {
            Table::Sqlite(pool) => sqlite::enqueue(pool, count.into()).await,
            Table::Postgres(pool) => postgres::enqueue(pool, count.into()).await,
        }
    }

    /// Takes the first job that is free. No two who ask get the same.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: a job may have been taken, and is free again when its lease is over.
    pub(crate) async fn claim(&self, runner: Runner) -> sqlx::Result<Option<Job>> {
        let claimed = match self {
            Table::Sqlite(pool) => sqlite::claim(pool, runner).await?,
            Table::Postgres(pool) => postgres::claim(pool, runner).await?,
        };
        Ok(claimed.map(|(id, account, cents)| Job { id, account, cents }))
    }

    /// Begins the lease of a job anew. `false`: it is lost, and the job somebody else's.
    pub(crate) async fn renew(&self, job: Job, runner: Runner) -> sqlx::Result<bool> {
        match self {
            Table::Sqlite(pool) => sqlite::renew(pool, job, runner).await,
            Table::Postgres(pool) => postgres::renew(pool, job, runner).await,
        }
    }

    /// Books the payment, and with it the job is done: both or neither. `false`: the lease was lost,
    /// and nothing is booked.
    pub(crate) async fn complete(&self, job: Job, runner: Runner) -> sqlx::Result<bool> {
        match self {
            Table::Sqlite(pool) => sqlite::complete(pool, job, runner).await,
            Table::Postgres(pool) => postgres::complete(pool, job, runner).await,
        }
    }

    /// Gives all jobs back that this process holds, and says how many.
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

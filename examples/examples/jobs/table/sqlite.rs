//! The job table in SQLite. Times are in seconds since 1970, from this machine's clock.

use sqlx::sqlite::SqlitePool;

use super::{Job, JobRow, Runner};

pub(super) async fn create_tables(pool: &SqlitePool) -> sqlx::Result<()> {
    let tables = "
        CREATE TABLE IF NOT EXISTS jobs (
            id INTEGER PRIMARY KEY,
            account INTEGER NOT NULL,
            cents INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'queued',
            runner TEXT,
            lease_until REAL
        ) STRICT;
        CREATE INDEX IF NOT EXISTS open_jobs ON jobs (id) WHERE state <> 'done';
        CREATE TABLE IF NOT EXISTS bookings (
            job INTEGER NOT NULL UNIQUE REFERENCES jobs (id),
            account INTEGER NOT NULL,
            cents INTEGER NOT NULL
        ) STRICT";
    sqlx::raw_sql(tables).execute(pool).await?;
    Ok(())
}

pub(super) async fn enqueue(pool: &SqlitePool, count: i64) -> sqlx::Result<()> {
    let insert = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
        INSERT INTO jobs (account, cents) SELECT n % 100, n FROM numbers";
    sqlx::query(insert).bind(count).execute(pool).await?;
    Ok(())
}

/// A single statement that writes holds the write lock from its start, as in `BEGIN IMMEDIATE`: no other process
/// can take the job between the select and the update.
pub(super) async fn claim(pool: &SqlitePool, runner: Runner) -> sqlx::Result<Option<JobRow>> {
    let claim = "UPDATE jobs SET state = 'running', runner = $1, lease_until = unixepoch('subsec') + $2
        WHERE id = (
            SELECT id FROM jobs
            WHERE state <> 'done' AND (state = 'queued' OR lease_until < unixepoch('subsec'))
            ORDER BY id LIMIT 1
        )
        RETURNING id, account, cents";
    let claim = sqlx::query_as(claim).bind(runner.mark.hyphenated()).bind(runner.lease.as_secs_f64());
    claim.fetch_optional(pool).await
}

pub(super) async fn renew(pool: &SqlitePool, job: Job, runner: Runner) -> sqlx::Result<bool> {
    let renew = "UPDATE jobs SET lease_until = unixepoch('subsec') + $1
        WHERE id = $2 AND state = 'running' AND runner = $3";
    let renew = sqlx::query(renew).bind(runner.lease.as_secs_f64()).bind(job.id).bind(runner.mark.hyphenated());
    Ok(renew.execute(pool).await?.rows_affected() == 1)
}

pub(super) async fn complete(pool: &SqlitePool, job: Job, runner: Runner) -> sqlx::Result<bool> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let done = "UPDATE jobs SET state = 'done', runner = NULL, lease_until = NULL
        WHERE id = $1 AND state = 'running' AND runner = $2";
    let done = sqlx::query(done).bind(job.id).bind(runner.mark.hyphenated()).execute(&mut *transaction).await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let book = "INSERT INTO bookings (job, account, cents) VALUES ($1, $2, $3)";
    sqlx::query(book).bind(job.id).bind(job.account).bind(job.cents).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) async fn hand_back(pool: &SqlitePool, runner: Runner) -> sqlx::Result<u64> {
    let hand_back = "UPDATE jobs SET state = 'queued', runner = NULL, lease_until = NULL
        WHERE state = 'running' AND runner = $1";
    Ok(sqlx::query(hand_back).bind(runner.mark.hyphenated()).execute(pool).await?.rows_affected())
}

//! The job table in PostgreSQL. Times are from the server's clock.

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};

use super::{Job, JobRow, Runner};

/// The advisory lock under which processes create the tables.
const LOCK: i64 = 0x6a6f_6273;

pub(super) async fn create_tables(connection: &mut PgConnection) -> sqlx::Result<()> {
    let tables = "
        CREATE TABLE IF NOT EXISTS jobs (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            account bigint NOT NULL,
            cents bigint NOT NULL,
            state text NOT NULL DEFAULT 'queued',
            runner uuid,
            lease_until timestamptz
        );
        CREATE INDEX IF NOT EXISTS open_jobs ON jobs (id) WHERE state <> 'done';
        CREATE TABLE IF NOT EXISTS bookings (
            job bigint NOT NULL UNIQUE REFERENCES jobs (id),
            account bigint NOT NULL,
            cents bigint NOT NULL
        )";
    let mut transaction = connection.begin().await?;
    // Two processes that start at once would both find no table.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    sqlx::raw_sql(tables).execute(&mut *transaction).await?;
    transaction.commit().await
}

pub(super) async fn enqueue(pool: &PgPool, count: i64) -> sqlx::Result<()> {
    let insert = "INSERT INTO jobs (account, cents) SELECT n % 100, n FROM generate_series(1, $1) AS n";
    sqlx::query(insert).bind(count).execute(pool).await?;
    Ok(())
}

pub(super) async fn claim(pool: &PgPool, runner: Runner) -> sqlx::Result<Option<JobRow>> {
    let claim =
        "UPDATE jobs SET state = 'running', runner = $1, lease_until = clock_timestamp() + make_interval(secs => $2)
        WHERE id = (
            SELECT id FROM jobs
            WHERE state <> 'done' AND (state = 'queued' OR lease_until < clock_timestamp())
            ORDER BY id LIMIT 1
            FOR UPDATE SKIP LOCKED
        )
        RETURNING id, account, cents";
    sqlx::query_as(claim).bind(runner.mark).bind(runner.lease.as_secs_f64()).fetch_optional(pool).await
}

pub(super) async fn renew(pool: &PgPool, job: Job, runner: Runner) -> sqlx::Result<bool> {
    let renew = "UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => $1)
        WHERE id = $2 AND state = 'running' AND runner = $3";
    let renew = sqlx::query(renew).bind(runner.lease.as_secs_f64()).bind(job.id).bind(runner.mark);
    Ok(renew.execute(pool).await?.rows_affected() == 1)
}

pub(super) async fn complete(pool: &PgPool, job: Job, runner: Runner) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    let done = "UPDATE jobs SET state = 'done', runner = NULL, lease_until = NULL
        WHERE id = $1 AND state = 'running' AND runner = $2";
    let done = sqlx::query(done).bind(job.id).bind(runner.mark).execute(&mut *transaction).await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let book = "INSERT INTO bookings (job, account, cents) VALUES ($1, $2, $3)";
    sqlx::query(book).bind(job.id).bind(job.account).bind(job.cents).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) async fn hand_back(pool: &PgPool, runner: Runner) -> sqlx::Result<u64> {
    let hand_back = "UPDATE jobs SET state = 'queued', runner = NULL, lease_until = NULL
        WHERE state = 'running' AND runner = $1";
    Ok(sqlx::query(hand_back).bind(runner.mark).execute(pool).await?.rows_affected())
}

//! Events in PostgreSQL.

use std::sync::Arc;

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use uuid::Uuid;

use super::json;
use crate::event::{Event, StoredEvent};

/// The advisory lock of writers and of processes that create the table.
const LOCK: i64 = 0x0065_7665_6e74_7321;

pub(super) async fn create_table(connection: &mut PgConnection) -> sqlx::Result<()> {
    let table = "CREATE TABLE IF NOT EXISTS events (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id uuid NOT NULL UNIQUE,
        kind text NOT NULL,
        data text NOT NULL
    )";
    let mut transaction = connection.begin().await?;
    // Two processes that start at once would both find no table.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    sqlx::query(table).execute(&mut *transaction).await?;
    transaction.commit().await
}

pub(super) async fn insert(connection: &mut PgConnection, events: &[Arc<Event>]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let data: Vec<&str> = events.iter().map(|event| event.data.get()).collect();
    let insert = "INSERT INTO events (id, kind, data)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
        ON CONFLICT (id) DO NOTHING";
    let mut transaction = connection.begin().await?;
    // Positions are assigned before the commit. With one writer at a time, even while an old process and a new
    // one overlap, a reader that continues from a position never misses a lower one that is committed later.
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    sqlx::query(insert).bind(ids).bind(kinds).bind(data).execute(&mut *transaction).await?;
    transaction.commit().await
}

pub(super) async fn events(pool: &PgPool, after: i64, limit: i64) -> sqlx::Result<Vec<StoredEvent>> {
    let select = "SELECT position, id, kind, data FROM events WHERE position > $1 ORDER BY position LIMIT $2";
    let rows: Vec<(i64, Uuid, String, String)> = sqlx::query_as(select).bind(after).bind(limit).fetch_all(pool).await?;
    let stored = |(position, id, kind, data)| Ok(StoredEvent { position, id, kind, data: json(data)? });
    rows.into_iter().map(stored).collect()
}

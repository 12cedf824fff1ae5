//! Events in SQLite.

use std::sync::Arc;

use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool};
use sqlx::{Error, QueryBuilder};
use uuid::Uuid;

use super::json;
use crate::event::{Event, StoredEvent};

pub(super) async fn create_table(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let table = "CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT";
    sqlx::query(table).execute(connection).await?;
    Ok(())
}

pub(super) async fn insert(connection: &mut SqliteConnection, events: &[Arc<Event>]) -> sqlx::Result<()> {
    let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO events (id, kind, data) ");
    insert.push_values(events, |mut row, event| {
        row.push_bind(event.id.hyphenated()).push_bind(event.kind.as_str()).push_bind(event.data.get());
    });
    insert.push(" ON CONFLICT (id) DO NOTHING");
    // The statement's text depends on the number of events, so caching it is not worthwhile.
    insert.build().persistent(false).execute(connection).await?;
    Ok(())
}

pub(super) async fn events(pool: &SqlitePool, after: i64, limit: i64) -> sqlx::Result<Vec<StoredEvent>> {
    let select = "SELECT position, id, kind, data FROM events WHERE position > $1 ORDER BY position LIMIT $2";
    let rows: Vec<(i64, String, String, String)> =
        sqlx::query_as(select).bind(after).bind(limit).fetch_all(pool).await?;
    let stored = |(position, id, kind, data): (_, String, _, _)| {
        let id = Uuid::parse_str(&id).map_err(|error| Error::Decode(error.into()))?;
        Ok(StoredEvent { position, id, kind, data: json(data)? })
    };
    rows.into_iter().map(stored).collect()
}

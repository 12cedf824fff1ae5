//! The database: SQLite or PostgreSQL. No other module needs to know which.

mod postgres;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use canstop_examples::Database;
use serde_json::value::RawValue;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Error};

use crate::event::{Event, StoredEvent};

const READERS: u32 = 4;
/// How long a reader waits for a connection.
const READER_WAITS: Duration = Duration::from_secs(2);

/// Where events are stored. It connects when it needs to.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
    readers: Readers,
}

#[derive(Clone)]
enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Store {
    /// Creates the tables if they do not exist.
    pub(crate) async fn open(database: Database) -> sqlx::Result<Self> {
        let readers = match &database {
            Database::Sqlite(options) => {
                sqlite::create_table(&mut options.connect().await?).await?;
                let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(READER_WAITS);
                Readers::Sqlite(pool.connect_lazy_with(options.clone()))
            }
            Database::Postgres(options) => {
                postgres::create_table(&mut options.connect().await?).await?;
                let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(READER_WAITS);
                Readers::Postgres(pool.connect_lazy_with(options.clone()))
            }
        };
        Ok(Self { database, readers })
    }

    /// A connection to write on.
    pub(crate) async fn connect(&self) -> sqlx::Result<Connection> {
        match &self.database {
            Database::Sqlite(options) => options.connect().await.map(Connection::Sqlite),
            Database::Postgres(options) => options.connect().await.map(Connection::Postgres),
        }
    }

    /// The events after a position, in the order of their commits.
    pub(crate) async fn events(&self, after: i64, limit: i64) -> sqlx::Result<Vec<StoredEvent>> {
        match &self.readers {
            Readers::Sqlite(pool) => sqlite::events(pool, after, limit).await,
            Readers::Postgres(pool) => postgres::events(pool, after, limit).await,
        }
    }
}

/// A connection to write on.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    /// Writes events, all or none. Events that an earlier attempt has stored, whose answer was lost, stay as they
    /// are.
    pub(crate) async fn insert(&mut self, events: &[Arc<Event>]) -> sqlx::Result<()> {
        match self {
            Connection::Sqlite(connection) => sqlite::insert(connection, events).await,
            Connection::Postgres(connection) => postgres::insert(connection, events).await,
        }
    }
}

/// The JSON of a column.
fn json(text: String) -> sqlx::Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(|error| Error::Decode(error.into()))
}

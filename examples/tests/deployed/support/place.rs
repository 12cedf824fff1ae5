//! Databases for the tests, and their queries.

use std::collections::HashSet;
use std::path::Path;

use canstop_examples::{Database, ScratchFolder};
use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, FromRow};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

/// A database that a program under test uses.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    /// The database's own folder.
    _folder: Option<ScratchFolder>,
}

impl TestDatabase {
    /// A new SQLite file.
    pub(crate) fn sqlite() -> Self {
        let folder = scratch_folder();
        let place = Self::sqlite_in(folder.path());
        Self { _folder: Some(folder), ..place }
    }

    /// A new SQLite file in this folder.
    pub(crate) fn sqlite_in(folder: &Path) -> Self {
        Self { url: format!("sqlite:{}", folder.join("test.db").display()), _folder: None }
    }

    /// A PostgreSQL database.
    pub(crate) fn postgresql(url: String) -> Self {
        Self { url, _folder: None }
    }

    /// The stored events after a position, and the position of the last one.
    ///
    /// Checks by the events' content that none is stored twice; the table itself only checks their ids.
    #[track_caller]
    pub(crate) fn events_after(&self, position: i64) -> Events {
        let rows: Vec<(i64, String, String)> =
            self.rows(&format!("SELECT position, CAST(id AS TEXT), data FROM events WHERE position > {position}"));
        let last = rows.iter().map(|(position, ..)| *position).max().unwrap_or(position);
        let texts: HashSet<_> = rows.iter().map(|(_, _, data)| data).collect();
        assert_eq!(texts.len(), rows.len(), "an event was written twice");
        let ids = rows.iter().map(|(_, id, _)| id.parse().expect("an id is a UUID")).collect();
        Events { ids, last }
    }

    /// The rows of a query.
    #[track_caller]
    pub(crate) fn rows<R>(&self, query: &str) -> Vec<R>
    where
        R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let database: Database = self.url.parse().expect("it is a test's own");
        let rows = async {
            match database {
                Database::Sqlite(options) => sqlx::query_as(query).fetch_all(&mut options.connect().await?).await,
                Database::Postgres(options) => sqlx::query_as(query).fetch_all(&mut options.connect().await?).await,
            }
        };
        runtime().block_on(rows).unwrap_or_else(|error| panic!("{query}: {error}"))
    }
}

/// Stored events.
pub(crate) struct Events {
    pub(crate) ids: HashSet<Uuid>,
    /// The position of the last one.
    pub(crate) last: i64,
}

/// A lock on an SQLite database: no other connection can write.
pub(crate) struct LockedDatabase {
    connection: SqliteConnection,
    runtime: Runtime,
}

impl LockedDatabase {
    pub(crate) fn lock(place: &TestDatabase) -> Self {
        let Ok(Database::Sqlite(options)) = place.url.parse() else { panic!("{} is not SQLite's", place.url) };
        let runtime = runtime();
        let lock = async {
            let mut connection = options.connect().await?;
            sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await?;
            Ok::<_, sqlx::Error>(connection)
        };
        let connection = runtime.block_on(lock).expect("the database is there");
        Self { connection, runtime }
    }

    pub(crate) fn release(self) {
        self.runtime.block_on(self.connection.close()).expect("the database is still there");
    }
}

/// A new folder that no other test uses.
pub(super) fn scratch_folder() -> ScratchFolder {
    ScratchFolder::new_in(env!("CARGO_TARGET_TMPDIR"))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("the system has what a runtime needs")
}

//! The events of a tracker, in its database.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::runtime::{Builder, Runtime};

/// The SQLite file of a tracker.
#[derive(Clone, Debug)]
pub struct Events(PathBuf);

impl Events {
    /// The file's place. It need not exist yet.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self(file.into())
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.0
    }

    /// Those of these events that are not stored.
    ///
    /// # Panics
    ///
    /// If the file cannot be read.
    #[must_use]
    pub fn missing(&self, ids: &[String]) -> Vec<String> {
        let rows: Vec<(String,)> = runtime().block_on(async {
            let mut connection = self.connect().await;
            sqlx::query_as("SELECT id FROM events").fetch_all(&mut connection).await.expect("a table of events")
        });
        let stored: HashSet<_> = rows.into_iter().map(|(id,)| id).collect();
        ids.iter().filter(|&id| !stored.contains(id)).cloned().collect()
    }

    /// Takes the database's write lock: the tracker can accept events and store none.
    ///
    /// # Panics
    ///
    /// If another connection keeps the lock.
    #[must_use]
    pub fn lock(&self) -> Lock {
        let runtime = runtime();
        let connection = runtime.block_on(async {
            let mut connection = self.connect().await;
            sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.expect("a free lock");
            connection
        });
        Lock { connection, runtime }
    }

    async fn connect(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(&self.0).connect().await.expect("a database")
    }
}

/// The lock of a database. It ends when dropped, too.
#[derive(Debug)]
pub struct Lock {
    connection: SqliteConnection,
    runtime: Runtime,
}

impl Lock {
    /// Lets the tracker write again.
    ///
    /// # Panics
    ///
    /// If the database is gone.
    pub fn release(self) {
        self.runtime.block_on(self.connection.close()).expect("the database is still there");
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("the system has what a runtime needs")
}

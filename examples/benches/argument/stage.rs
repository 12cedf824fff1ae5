//! A database and an address that one program after the other uses.

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use canstop_examples::Database;
use canstop_examples::program::{Program, Running};
use sqlx::ConnectOptions;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

pub(crate) struct Stage {
    runtime: Runtime,
    database: Database,
    url: String,
    address: String,
    /// The stage's own folder, for SQLite.
    folder: PathBuf,
}

impl Stage {
    /// Uses the database that the environment names, or a new one on disk.
    pub(crate) fn new() -> Self {
        let folder = new_folder(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let url = std::env::var("DATABASE_URL");
        Self::on(url.unwrap_or_else(|_| format!("sqlite:{}", folder.join("events.db").display())), folder)
    }

    /// Uses a new database in memory, if the system has a folder in memory.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = new_folder(if memory.exists() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) });
        Self::on(format!("sqlite:{}", folder.join("events.db").display()), folder)
    }

    fn on(url: String, folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a port");
        let address = listener.local_addr().expect("it has an address").to_string();
        Self {
            runtime: Builder::new_current_thread().enable_all().build().expect("the system has what a runtime needs"),
            database: url.parse().unwrap_or_else(|error| panic!("DATABASE_URL: {error}")),
            url,
            address,
            folder,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Starts a program, and waits until it listens.
    pub(crate) fn start(&self, program: &str) -> Running {
        let program = Program::new(program).env("LISTEN", &self.address).env("DATABASE_URL", &self.url);
        let mut program = program.start();
        program.address();
        program
    }

    /// How many of these are not in the database.
    pub(crate) fn missing(&self, ids: &[Uuid]) -> usize {
        let stored: HashSet<String> = self.ids().into_iter().collect();
        ids.iter().filter(|id| !stored.contains(&id.to_string())).count()
    }

    fn ids(&self) -> Vec<String> {
        let select = "SELECT CAST(id AS TEXT) FROM events";
        let ids = async {
            match &self.database {
                Database::Sqlite(options) => sqlx::query_scalar(select).fetch_all(&mut options.connect().await?).await,
                Database::Postgres(options) => {
                    sqlx::query_scalar(select).fetch_all(&mut options.connect().await?).await
                }
            }
        };
        self.runtime.block_on(ids).expect("the database answers")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A leftover is harmless: it is in the target folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn new_folder(within: &Path) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = within.join(format!("canstop-argument-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a benchmark may make folders there");
    folder
}

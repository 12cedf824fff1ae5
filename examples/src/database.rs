//! Which database to use, from a URL.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::bail;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::time::timeout;

/// How long SQLite waits for the lock of another connection.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// A database to connect to: `sqlite:events.db`, or `postgres://user:password@host:port/name`.
///
/// ```
/// use canstop_examples::Database;
///
/// let database: Database = "postgres://me:secret@localhost/shop".parse().unwrap();
/// assert_eq!(database.to_string(), "postgres://localhost:5432/shop"); // fit for a log
/// assert!("mysql://localhost/shop".parse::<Database>().is_err());
/// ```
#[derive(Clone, Debug)]
pub enum Database {
    /// An SQLite file, created if it does not exist. A commit is on disk when it returns.
    Sqlite(SqliteConnectOptions),
    /// A PostgreSQL server.
    Postgres(PgConnectOptions),
}

impl Database {
    /// A database that has not answered within this time counts as down.
    pub const ANSWER: Duration = Duration::from_secs(5);

    /// Waits until the database is open.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or does not answer in [time](Self::ANSWER). The error names the database and the
    /// variable that it comes from.
    pub async fn opened<T>(&self, opening: impl Future<Output = sqlx::Result<T>>) -> anyhow::Result<T> {
        let failure = match timeout(Self::ANSWER, opening).await {
            Ok(Ok(open)) => return Ok(open),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", Self::ANSWER),
        };
        bail!("cannot use the database {self} of DATABASE_URL: {failure}")
    }
}

impl FromStr for Database {
    type Err = InvalidDatabase;

    fn from_str(url: &str) -> Result<Self, InvalidDatabase> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(InvalidDatabase("`sqlite:` has no file name".to_owned()));
            }
            let options = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(LOCK_TIMEOUT);
            Ok(Database::Sqlite(options))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            match PgConnectOptions::from_str(url) {
                Ok(options) => Ok(Database::Postgres(options)),
                Err(error) => Err(InvalidDatabase(error.to_string())),
            }
        } else {
            // The rest of it may hold a password.
            let scheme = url.split_once(':').map_or("no scheme", |(scheme, _)| scheme);
            Err(InvalidDatabase(format!("{scheme:?} is no database known here")))
        }
    }
}

/// The database's address, without the password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Database::Sqlite(options) => write!(f, "sqlite:{}", options.get_filename().display()),
            Database::Postgres(options) => {
                let name = options.get_database().unwrap_or_else(|| options.get_username());
                write!(f, "postgres://{}:{}/{name}", options.get_host(), options.get_port())
            }
        }
    }
}

/// A database URL that cannot be parsed.
#[derive(Debug)]
pub struct InvalidDatabase(String);

impl fmt::Display for InvalidDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(fault) = self;
        write!(f, "{fault}; write sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/NAME")
    }
}

impl Error for InvalidDatabase {}

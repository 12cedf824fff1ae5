//! What the environment says.

use std::env::{self, VarError};
use std::str::FromStr;

use anyhow::{Context, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

/// The settings of this program. Those of the stop and of the probes are canstop's own.
#[derive(Debug)]
pub struct Settings {
    /// Where to serve.
    pub listen: String,
    /// Where the orders are.
    pub database: SqliteConnectOptions,
}

impl Settings {
    /// Reads `LISTEN` and `DATABASE_URL`.
    pub fn from_environment() -> anyhow::Result<Self> {
        Self::read(|name| env::var(name))
    }

    fn read(variable: impl Fn(&str) -> Result<String, VarError>) -> anyhow::Result<Self> {
        let get = |name, default: &str| match variable(name) {
            Ok(value) => Ok(value),
            Err(VarError::NotPresent) => Ok(default.to_owned()),
            Err(error) => Err(error).context(name),
        };
        let database = get("DATABASE_URL", "sqlite:orders.db")?;
        ensure!(
            database.starts_with("sqlite:"),
            "DATABASE_URL is not of the form sqlite:FILE"
        );
        let database = SqliteConnectOptions::from_str(&database).context("DATABASE_URL")?;
        Ok(Self {
            listen: get("LISTEN", "127.0.0.1:8080")?,
            database: database
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_variable() {
        let settings = Settings::read(|name| match name {
            "DATABASE_URL" => Ok("mysql://localhost/orders".to_owned()),
            _ => Err(VarError::NotPresent),
        });
        let error = settings.unwrap_err().to_string();
        assert!(error.contains("DATABASE_URL"), "{error}");
    }

    #[test]
    fn an_empty_environment_has_defaults() {
        let settings = Settings::read(|_| Err(VarError::NotPresent)).unwrap();
        assert_eq!(settings.listen, "127.0.0.1:8080");
        assert_eq!(settings.database.get_filename(), "orders.db");
    }
}

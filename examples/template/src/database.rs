//! The orders, in SQLite.

use anyhow::Context;
use canstop::Lifecycle;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

/// Opens the database, and creates what is missing.
pub async fn open(options: SqliteConnectOptions) -> anyhow::Result<SqlitePool> {
    let file = options.get_filename().display().to_string();
    let opened = create(options).await;
    opened.with_context(|| format!("cannot open the database {file}"))
}

async fn create(options: SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let pool = SqlitePool::connect_with(options).await?;
    let table = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)";
    sqlx::query(table).execute(&pool).await?;
    Ok(pool)
}

/// Keeps the database open until everything that names it in `after` has stopped.
#[canstop::service]
pub async fn database(lifecycle: Lifecycle, pool: SqlitePool) {
    lifecycle.stopping().await;
    pool.close().await;
    tracing::info!("the database is closed");
}

/// Stores an order, and returns its id.
pub async fn save(pool: SqlitePool, item: String) -> sqlx::Result<i64> {
    let saved = sqlx::query("INSERT INTO orders (item) VALUES (?)")
        .bind(item)
        .execute(&pool)
        .await?;
    Ok(saved.last_insert_rowid())
}

/// Finds an order.
pub async fn find(pool: &SqlitePool, id: i64) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT item FROM orders WHERE id = ?")
        .bind(id)
        .fetch_optional(pool)
        .await
}

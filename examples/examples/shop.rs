//! The program of the guide's database page: orders over HTTP, in a database that closes last.
//!
//! Post an order, and press Ctrl-C or send a SIGTERM. With a SIGTERM, `/readyz` fails at once while orders are still
//! taken for the drain delay. Then the requests in progress finish, and the database closes after the last of them.
//!
//! `cargo run --example shop`
//!
//! ```sh
//! curl -d apples http://127.0.0.1:8080/orders
//! curl http://127.0.0.1:8080/orders/1
//! ```

use std::env;
use std::str::FromStr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use canstop::{Lifecycle, spawn_session};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

/// Keeps the database open until everything that uses it has stopped.
#[canstop::service]
async fn database(lifecycle: Lifecycle, pool: SqlitePool) {
    lifecycle.stopping().await;
    pool.close().await;
    tracing::info!("the database is closed");
}

#[canstop::service(after(database))]
async fn http(lifecycle: Lifecycle, address: String, pool: SqlitePool) -> anyhow::Result<()> {
    let app = Router::new().route("/orders", post(order)).route("/orders/{id}", get(show)).with_state(pool);
    let listener = canstop::listen("http", address).await?;
    tracing::info!("listening on {listener}");
    lifecycle.ready();
    canstop::axum::serve(listener, app).await?;
    Ok(())
}

/// The order is a session: a client that hangs up drops this handler, and not the order.
async fn order(State(pool): State<SqlitePool>, item: String) -> Result<(StatusCode, String), StatusCode> {
    match spawn_session!(save(pool, item)).await {
        Ok(Ok(id)) => Ok((StatusCode::CREATED, format!("{id}\n"))),
        // canstop has logged the error or the panic, with this line.
        _ => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

async fn save(pool: SqlitePool, item: String) -> sqlx::Result<i64> {
    let saved = sqlx::query("INSERT INTO orders (item) VALUES (?)").bind(item).execute(&pool).await?;
    Ok(saved.last_insert_rowid())
}

async fn show(State(pool): State<SqlitePool>, Path(id): Path<i64>) -> Result<String, StatusCode> {
    let item = sqlx::query_scalar("SELECT item FROM orders WHERE id = ?").bind(id).fetch_optional(&pool);
    match item.await {
        Ok(item) => item.ok_or(StatusCode::NOT_FOUND),
        Err(error) => {
            tracing::error!("cannot read order {id}: {error}");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[canstop::main(grace = "10s", drain_delay = "2s", health = "127.0.0.1:9000")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let options = SqliteConnectOptions::from_str(&variable("DATABASE_URL", "sqlite:shop.db"))?.create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)")
        .execute(&pool)
        .await?;
    canstop::start(database(pool.clone()));
    canstop::start(http(variable("LISTEN", "127.0.0.1:8080"), pool));
    Ok(())
}

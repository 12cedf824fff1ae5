//! The routes, and the service that serves them.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use canstop::{Lifecycle, spawn_session};
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;

use crate::database::{self, database};

/// Serves until the program stops, and finishes the requests that have begun.
#[canstop::service(after(database))]
pub async fn http(lifecycle: Lifecycle, address: String, pool: SqlitePool) -> anyhow::Result<()> {
    let listener = canstop::listen("http", address).await?;
    tracing::info!("listening on {listener}");
    lifecycle.ready();
    canstop::axum::serve(listener, routes(pool)).await?;
    Ok(())
}

fn routes(pool: SqlitePool) -> Router {
    Router::new()
        .route("/orders", post(order))
        .route("/orders/{id}", get(show))
        .with_state(pool)
}

#[derive(Deserialize)]
struct NewOrder {
    item: String,
}

#[derive(Serialize)]
struct Order {
    id: i64,
    item: String,
}

/// The order is a session: a client that hangs up drops this handler, and not the order.
async fn order(
    State(pool): State<SqlitePool>,
    Json(NewOrder { item }): Json<NewOrder>,
) -> Result<(StatusCode, Json<Order>), StatusCode> {
    match spawn_session!("order", database::save(pool, item.clone())).await {
        Ok(Ok(id)) => Ok((StatusCode::CREATED, Json(Order { id, item }))),
        // canstop has logged the error or the panic, with the line of the session.
        _ => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

async fn show(
    State(pool): State<SqlitePool>,
    Path(id): Path<i64>,
) -> Result<Json<Order>, StatusCode> {
    match database::find(&pool, id).await {
        Ok(Some(item)) => Ok(Json(Order { id, item })),
        Ok(None) => Err(StatusCode::NOT_FOUND),
        Err(error) => {
            tracing::error!("cannot read order {id}: {error}");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

//! The service that accepts events.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::routing::post;
use canstop::http::Server;
use canstop::{Lifecycle, spawn_session};
use tokio::time::timeout;

use crate::api::{COMMIT_TIMEOUT, Created, How, Refusal, Tracker, read_event, router};
use crate::writer::writer;

/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(30);

#[canstop::service(after(writer))]
pub(crate) async fn http(lifecycle: Lifecycle, address: String, tracker: Tracker) -> anyhow::Result<()> {
    let listener = canstop::listen("http", address).await?;
    tracing::info!("listening on {listener}");
    let app = router(post(record)).with_state(tracker);
    lifecycle.ready();
    canstop::axum::serve_with(Server::new().idle_timeout(IDLE), listener, app).await?;
    Ok(())
}

/// `POST /events`: accepts an event.
///
/// A 201 promises that the event will be written. The session keeps that promise: a stop waits for the session,
/// and the session waits for the commit. With `durable=true` the response itself waits for the commit.
async fn record(
    State(tracker): State<Tracker>,
    how: Result<Query<How>, QueryRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Created>), Refusal> {
    let Query(How { durable }) = how.map_err(Refusal::Query)?;
    let receipt = tracker.queue.push(read_event(request).await?)?;
    let id = receipt.id;
    if durable {
        timeout(COMMIT_TIMEOUT, receipt.committed()).await.map_err(|_| Refusal::NotCommitted(id))?;
    } else {
        spawn_session!(receipt.committed());
    }
    Ok((StatusCode::CREATED, Json(Created { id })))
}

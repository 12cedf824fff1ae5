//! The service that accepts events.

use std::time::Duration;

use anyhow::Context;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, serve};
use canstop::{Lifecycle, spawn_session};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::api::{Created, LARGEST_EVENT, Refusal, Tracker, read_event, router};
use crate::writer::writer;

/// How long a client waits for a commit that it wants to see.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

#[canstop::service(after(writer))]
pub(crate) async fn http(lifecycle: Lifecycle, address: String, tracker: Tracker) -> anyhow::Result<()> {
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!("listening on {}", listener.local_addr()?);
    let app = router().route("/events", post(record)).layer(DefaultBodyLimit::max(LARGEST_EVENT)).with_state(tracker);
    lifecycle.ready();
    serve(listener, app).with_graceful_shutdown(lifecycle.stopping()).await?;
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    /// Answer when the event is committed, not when it is accepted.
    #[serde(default)]
    durable: bool,
}

/// `POST /events`: promises to write an event.
///
/// The session is what keeps the promise: a stop waits for it, so it waits for the commit, with all the
/// time that the grace has to give. With `durable=true` the client waits itself, and no promise is made.
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

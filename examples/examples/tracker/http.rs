//! The service that accepts events.

use std::time::Duration;

use anyhow::Context;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::routing::post;
use canstop::{Lifecycle, spawn_session};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::api::{COMMIT_TIMEOUT, Created, How, Refusal, Tracker, read_event, router};
use crate::connection::serve;
use crate::writer::writer;

/// A pause after a connection could not be accepted, most often because too many files are open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

#[canstop::service(after(writer))]
pub(crate) async fn http(lifecycle: Lifecycle, address: String, tracker: Tracker) -> anyhow::Result<()> {
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!("listening on {}", listener.local_addr()?);
    let app = router(post(record)).with_state(tracker);
    lifecycle.ready();
    while let Some(accepted) = lifecycle.run_until_stopping(listener.accept()).await {
        match accepted {
            Ok((socket, _)) => {
                spawn_session!(serve(socket, app.clone(), lifecycle.stopping()));
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                lifecycle.run_until_stopping(sleep(ACCEPT_AGAIN)).await;
            }
        }
    }
    Ok(())
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

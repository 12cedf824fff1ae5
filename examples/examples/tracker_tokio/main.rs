//! The tracker with tokio and axum alone, for comparison: the same handler, queue, writer and connections, with
//! `tokio::spawn` in place of services and sessions.
//!
//! It stops as such programs usually do: on SIGTERM it accepts no new connection, waits for the requests in
//! progress, and returns from `main`. That ends the runtime and the writer, and loses every event that was
//! answered with 201 and not yet written. Its last line prints how many.
//!
//! `cargo run --release --example tracker_tokio`
//!
//! It reads `DATABASE_URL` and `LISTEN`, as the tracker does.

#[path = "../tracker/api.rs"]
mod api;
#[path = "../tracker/batch.rs"]
mod batch;
mod connection;
#[path = "../tracker/event.rs"]
mod event;
#[path = "../tracker/queue.rs"]
mod queue;
#[path = "../tracker/store/mod.rs"]
mod store;

use std::env;
use std::sync::Arc;

use anyhow::Context;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::routing::post;
use canstop_examples::Database;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{COMMIT_TIMEOUT, Created, How, Refusal, Tracker, read_event, router};
use crate::batch::{BATCH, Batches};
use crate::connection::serve;
use crate::queue::Queue;
use crate::store::Store;

/// The capacity of the tracker's queue.
const QUEUE: usize = 8192;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let mut terminate = signal(SignalKind::terminate())?;
    let database = env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite:tracker.db".to_owned());
    let database: Database = database.parse().context("DATABASE_URL cannot be used")?;
    let store = database.opened(Store::open(database.clone())).await?;
    let queue = Arc::new(Queue::new(QUEUE));
    tokio::spawn(write(store.clone(), Arc::clone(&queue)));

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:48880".to_owned());
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!("listening on {}", listener.local_addr()?);
    let app = router(post(record)).with_state(Tracker { queue: Arc::clone(&queue), store });
    let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(serve(accepted?.0, app.clone(), stopping.clone().cancelled_owned()));
            }
            _ = terminate.recv() => break,
        }
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    connections.wait().await;
    if let Some(events) = queue.in_doubt() {
        tracing::error!("{events}");
    }
    Ok(())
}

/// Writes the events of the queue, batch by batch, forever.
async fn write(store: Store, queue: Arc<Queue>) {
    let mut batches = Batches::new(store);
    loop {
        queue.filled().await;
        let batch = queue.first(BATCH);
        batches.write(&batch).await;
        queue.commit(batch.len());
    }
}

/// `POST /events`: the tracker's handler, with `tokio::spawn` for `spawn_session!`.
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
        tokio::spawn(receipt.committed());
    }
    Ok((StatusCode::CREATED, Json(Created { id })))
}

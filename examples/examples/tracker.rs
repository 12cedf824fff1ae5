//! An event tracker that loses nothing: `POST /events` answers 201 at once, and the event is written
//! by a session afterwards.
//!
//! Run it, load it with whatever you have (or with the `curl` loop below), and press Ctrl-C or send
//! it a SIGTERM in the middle: it accepts nobody any more, finishes the requests that it has, writes
//! what it has promised to write, and says so in its last line. Every event that was answered with
//! 201 is a line of the file, which is `events.log` in the temporary directory, or the first argument.
//!
//! `cargo run --release --example tracker`
//!
//! ```sh
//! seq 1 5000 | xargs -P 8 -I{} curl -s -o /dev/null -d 'event {}' http://127.0.0.1:48880/events
//! ```
//!
//! What makes the difference to a program of tokio and axum alone: `#[canstop::main]`,
//! `spawn_session!` in place of `tokio::spawn`, and `lifecycle.stopping()`, which axum waits for.
//! `LISTEN=127.0.0.1:8080` in the environment takes another address.

use std::env;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use canstop::{Lifecycle, spawn_session};
use tokio::net::TcpListener;
use tokio::time::sleep;

#[canstop::service]
async fn http(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let path = env::args_os().nth(1).map_or_else(|| env::temp_dir().join("events.log"), PathBuf::from);
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot write to {}", path.display()))?;

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:48880".to_owned());
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!("listening on {}, events go to {}", listener.local_addr()?, path.display());

    let app = Router::new()
        .route("/events", post(event))
        .route("/healthz", get(|| async { "ok" }))
        .with_state(Arc::new(file));
    lifecycle.ready();
    axum::serve(listener, app).with_graceful_shutdown(lifecycle.stopping()).await?;
    Ok(())
}

/// Promises to write the event. From here on the program does not end before it is written.
async fn event(State(file): State<Arc<File>>, event: String) -> StatusCode {
    spawn_session!(write(file, event));
    StatusCode::CREATED
}

/// Writes an event. An error would be reported with the place of the `spawn_session!` above.
async fn write(file: Arc<File>, event: String) -> std::io::Result<()> {
    sleep(Duration::from_millis(1)).await; // A database would take as long.
    // One event is one line, and one write: the file is open for appending, so no two ever mix. That
    // takes less time than the way to the blocking pool.
    let mut line = event.lines().collect::<Vec<_>>().join(" ");
    line.push('\n');
    (&*file).write_all(line.as_bytes())
}

#[canstop::main(grace = "5s")]
async fn main() {
    tracing_subscriber::fmt().init();
}

//! A web server that is replaced by its next version without refusing a connection.
//!
//! Run it, and ask it in another terminal which process answers:
//!
//! `cargo run --example handover`
//! `while curl -s http://127.0.0.1:48880; do sleep 0.1; done`
//!
//! Send the process SIGUSR2, with `kill -USR2` and the number that it answers with. It starts a new process from the
//! same file and goes on answering while that one warms up. Then the new process answers, and the old one stops.
//! Replace the file by one that fails at its start, and the old process goes on. Ctrl-C ends whichever is there.
//!
//! Set `LISTEN=127.0.0.1:8080` in the environment to use another address. Windows has no such signal; there the
//! program is a web server.

use std::env;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use canstop::Lifecycle;

/// Answers with the process's number.
#[canstop::service]
async fn web(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:48880".to_owned());
    // The old process's socket, if there is one.
    let listener = canstop::listen("web", address).await?;
    // As if a cache were filled: meanwhile the old process answers.
    tokio::time::sleep(Duration::from_millis(300)).await;
    tracing::info!("listening on {listener}, process {}", std::process::id());
    lifecycle.ready();
    let router = Router::new().route("/", get(async || format!("process {}\n", std::process::id())));
    canstop::axum::serve(listener, router).await?;
    Ok(())
}

#[canstop::main(grace = "5s")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    Ok(())
}

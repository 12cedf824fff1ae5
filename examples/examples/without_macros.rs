//! The echo server of the example `echo`, without attributes: `main` runs an `App`, and the service is a
//! `Service` made from a function. It behaves the same in every respect.
//!
//! `spawn_session!` is still a macro: it records name, file and line of the place that spawns at no cost per
//! session, which a function cannot do.
//!
//! `cargo run --example without_macros`
//!
//! It listens on port 48879, as `echo` does. Set `LISTEN=127.0.0.1:8080` in the environment to use another
//! address.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use canstop::{App, Lifecycle, Ready, Service, spawn_session};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    App::new()
        .grace(Duration::from_secs(5))
        // The body calls `ready()`. The attribute finds that out by itself.
        .service(Service::new("echo", echo).ready(Ready::Notify))
        .run(async {
            tracing_subscriber::fmt().init();
        })
}

/// Echoes every connection until the program is asked to stop.
async fn echo(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:48879".to_owned());
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!("listening on {}", listener.local_addr()?);
    lifecycle.ready();
    while let Some(accepted) = lifecycle.run_until_stopping(listener.accept()).await {
        let (socket, peer) = accepted?;
        spawn_session!(serve(socket), %peer);
    }
    Ok(())
}

/// Echoes line by line. It stops between two lines, never within one.
async fn serve(socket: TcpStream) -> std::io::Result<()> {
    let lifecycle = Lifecycle::current();
    let mut socket = BufReader::new(socket);
    let mut line = Vec::new();
    // This waits for the first byte and consumes nothing, so a stop here loses nothing.
    while let Some(bytes) = lifecycle.run_until_stopping(socket.fill_buf()).await {
        if bytes?.is_empty() {
            break;
        }
        // A line that has begun is echoed, even during a stop.
        while !socket.buffer().is_empty() {
            socket.read_until(b'\n', &mut line).await?;
            socket.write_all(&line).await?;
            line.clear();
        }
    }
    Ok(())
}

//! The echo server of the example `echo`, without an attribute: `main` is an `App` that runs, and the
//! service is a `Service` made of a function. It does the same in every respect.
//!
//! `spawn_session!` is still a macro. It is one so that every place that spawns has its name, its
//! file and its line without costing a session anything; a function could not give it that.
//!
//! `cargo run --example without_macros`
//!
//! It listens on port 48879, as `echo` does; `LISTEN=127.0.0.1:8080` in the environment takes another
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
        // It says when it is ready. The attribute finds that out by itself.
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

/// Gives every line back. Between two lines it may stop; in the middle of one it may not.
async fn serve(socket: TcpStream) -> std::io::Result<()> {
    let lifecycle = Lifecycle::current();
    let mut socket = BufReader::new(socket);
    let mut line = Vec::new();
    // Waits for the first byte only: nothing is read that could be lost.
    while let Some(bytes) = lifecycle.run_until_stopping(socket.fill_buf()).await {
        if bytes?.is_empty() {
            break;
        }
        // What has begun to come is given back, stop or not.
        while !socket.buffer().is_empty() {
            socket.read_until(b'\n', &mut line).await?;
            socket.write_all(&line).await?;
            line.clear();
        }
    }
    Ok(())
}

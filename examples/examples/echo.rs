//! A TCP echo server with a session per connection.
//!
//! Run it, connect with `nc 127.0.0.1 48879` and send a line. Type half of another line, press Ctrl-C here,
//! then finish the line: the server accepts no new connection, and still echoes that line. A connection that
//! is between two lines ends at once. Press Ctrl-C twice to force the exit and see which sessions were left.
//!
//! `cargo run --example echo`
//!
//! Set `LISTEN=127.0.0.1:8080` in the environment to use another address.

use std::env;

use canstop::{Lifecycle, Stream, spawn_session};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// Echoes every connection until the program is asked to stop.
#[canstop::service]
async fn echo(lifecycle: Lifecycle) -> anyhow::Result<()> {
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:48879".to_owned());
    let listener = canstop::listen("echo", address).await?;
    tracing::info!("listening on {listener}");
    lifecycle.ready();
    while let Some(accepted) = listener.accept().await {
        let (socket, peer) = accepted?;
        spawn_session!(serve(socket), %peer);
    }
    Ok(())
}

/// Echoes line by line. It stops between two lines, never within one.
async fn serve(socket: Stream) -> std::io::Result<()> {
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

#[canstop::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    Ok(())
}

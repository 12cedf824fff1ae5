//! A TCP echo server, a session per connection.
//!
//! Run it, say a line to it with `nc 127.0.0.1 48879`, begin another one, and press Ctrl-C here
//! before you end it: the server accepts nobody any more, and the line that you began still comes
//! back. A connection that is between two lines ends at once. Press Ctrl-C twice to see what was
//! still there.
//!
//! `cargo run --example echo`
//!
//! `LISTEN=127.0.0.1:8080` in the environment takes another address.

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

/// Gives every line back. Between two lines it may stop; in the middle of one it may not.
async fn serve(socket: Stream) -> std::io::Result<()> {
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

#[canstop::main(grace = "5s")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    Ok(())
}

//! tokio-graceful.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio_graceful::{Shutdown, ShutdownGuard};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:7000").await?;
    let shutdown = Shutdown::default();
    shutdown.spawn_task_fn(|guard| serve(listener, guard));
    shutdown.shutdown_with_limit(Duration::from_secs(10)).await?;
    Ok(())
}

async fn serve(listener: TcpListener, guard: ShutdownGuard) {
    loop {
        tokio::select! {
            () = guard.cancelled() => break,
            Ok((socket, _)) = listener.accept() => drop(guard.spawn_task(echo(socket))),
        }
    }
}

async fn echo(_socket: tokio::net::TcpStream) {}

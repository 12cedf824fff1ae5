//! `#[tokio::main]` and `select!`.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:7000").await?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (socket, _) = accepted?;
                tokio::spawn(serve(socket));
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    tokio::time::sleep(Duration::from_secs(5)).await; // for those in flight
    Ok(())
}

async fn serve(_socket: TcpStream) {}

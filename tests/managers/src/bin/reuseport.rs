//! A web server on tokio and axum alone that shares its port with its predecessor by `SO_REUSEPORT`, for comparison.
//!
//! It takes a little while over each connection that it accepts, as a server does that is busy.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

struct Busy(TcpListener);

impl Listener for Busy {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Listener::accept(&mut self.0).await
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let address: SocketAddr = std::env::var("LISTEN")?.parse()?;
    let shared = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sockopt::set_socket_reuseport(&shared, true)?;
    bind(&shared, &address)?;
    listen(&shared, 1_024)?;
    let shared = std::net::TcpListener::from(shared);
    shared.set_nonblocking(true)?;
    let listener = Busy(TcpListener::from_std(shared)?);
    println!("listening on {address}");
    let router = Router::new().route("/", get(|| async { "served" }));
    let stop = async move {
        terminate.recv().await;
    };
    axum::serve(listener, router).with_graceful_shutdown(stop).await?;
    Ok(())
}

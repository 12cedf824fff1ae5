//! One connection of a client.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection may be idle, and how long the head of a request may take.
const IDLE: Duration = Duration::from_secs(30);
/// How long a client that is in the middle of a request has when the stop comes. It is less than the
/// stop gives the http service, so a client that stalls cannot hold the stop up.
const LAST_REQUEST: Duration = Duration::from_secs(3);

/// Serves a connection until its end. When the stop comes, the connection ends if it is idle, and else
/// with the request that it is in.
pub(crate) async fn serve(socket: TcpStream, app: Router, stopping: impl Future<Output = ()>) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!("answers may wait for one another: {error}");
    }
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), TowerToHyperService::new(app)));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stopping => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_REQUEST, connection).await.ok()
        }
    };
    // What clients do is no fault of the tracker's.
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!("a connection broke: {error}"),
        None => tracing::debug!("a connection was closed in the middle of a request"),
    }
}

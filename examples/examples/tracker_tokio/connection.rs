//! Serving one connection.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection may be idle, and how long the headers of a request may take.
const IDLE: Duration = Duration::from_secs(30);
/// How long a client may take to finish its request during a stop. It is less than the http service has, so a
/// stalled client cannot delay the stop.
const LAST_REQUEST: Duration = Duration::from_secs(3);

/// Serves a connection until its end. At a stop, an idle connection is closed at once, and a busy one after its
/// request.
pub(crate) async fn serve(socket: TcpStream, app: Router, stopping: impl Future<Output = ()>) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!("responses may be delayed: cannot set TCP_NODELAY: {error}");
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
    // A client's error is not the tracker's failure.
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!("a connection broke: {error}"),
        None => tracing::debug!("a connection was closed in the middle of a request"),
    }
}

//! Serving HTTP so that a stop loses no request (feature `http`).
//!
//! [`serve`] takes a [`Listener`](crate::Listener) and anything that is a tower service of requests: an axum
//! `Router`, tonic's routes, a plain function with [`service_fn`]. HTTP/1 and HTTP/2 are served on one port.
//!
//! # During a stop
//!
//! From the stop request on, including a `drain_delay`, every HTTP/1 response has `connection: close`, and every
//! HTTP/2 connection with a request gets a GOAWAY, so that clients disconnect by themselves. When the service is
//! stopping,
//!
//! - connections that the kernel had completed are accepted and served, and later ones refused;
//! - an idle connection closes; one whose client got a response less than 250 ms ago is still read until then;
//! - a request with an incomplete head or body has [`stalled_client`](Server::stalled_client) (2 s). Then the
//!   connection closes, or the handler gets an error from the body; this is not a failure of the stop;
//! - a running handler has all of its service's time, and its response is written before the connection closes.
//!   A handler beyond that time is abandoned: the exit code is 124, and the report names the request;
//! - an upgraded connection, such as a websocket, is waited for. [`upgrade`] makes its work a session.
//!
//! # In reports
//!
//! The straggler report and [`status`](crate::status()) name a request by its method and path, never by its query
//! or headers: `2 x GET /orders of service http, oldest 3.2 s, waiting`. At most 20 different ones are named, the
//! rest are `others`.

mod accept;
mod settings;
mod body;
mod adapters;
mod upgrade;
mod service;
mod io;
mod connection;
mod server;

use std::error::Error;
use std::io as std_io;

pub use hyper::{Request, Response, StatusCode};
use tower_service::Service;

pub use accept::{Accept, WithHandshake, with_handshake};
pub use adapters::{Answer, CallFn, ServiceFn, TakesIncoming, incoming, service_fn};
pub use body::{Body, BodyError};
pub use server::Server;
pub use upgrade::{OnUpgrade, upgrade};

#[cfg(feature = "axum")]
pub(crate) use service::NamedRequest;

/// Serves a tower service on a listener until the stop, with the defaults of [`Server`].
///
/// Each connection is a session of the service that calls this. The future is ready when no more connections
/// arrive; open connections continue as sessions, and a stop waits for them as for any session.
///
/// An error of the service is logged and answered with 500. The request's extensions contain the client's address
/// as a [`Peer`](crate::Peer).
///
/// ```no_run
/// use canstop::http::{Body, Request, Response};
///
/// #[canstop::service]
/// async fn http(lifecycle: canstop::Lifecycle) -> std::io::Result<()> {
///     let hello = |_: Request<Body>| async { Response::new("hello\n".to_owned()) };
///     let listener = canstop::listen("http", "127.0.0.1:8080").await?;
///     lifecycle.ready();
///     canstop::http::serve(listener, canstop::http::service_fn(hello)).await
/// }
/// ```
///
/// # Errors
///
/// The listener's.
///
/// # Panics
///
/// Outside a supervisor.
///
/// # Cancel safety
///
/// If the future is dropped, no more connections are accepted. Open connections continue.
#[track_caller]
pub fn serve<A, S, B>(listener: A, service: S) -> impl Future<Output = std_io::Result<()>> + Send
where
    A: Accept + Sync,
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    Server::new().serve(listener, service)
}

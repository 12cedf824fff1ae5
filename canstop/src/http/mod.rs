//! Serving HTTP so that a stop loses no request (feature `http`).
//!
//! [`serve`] takes a [`Listener`](crate::Listener) and anything that is a tower service of requests: an axum
//! `Router`, tonic's routes, a plain function with [`service_fn`]. HTTP/1 and HTTP/2 are served on one port.
//!
//! # In a stop
//!
//! From the stop request on, also during a `drain_delay`, every answer over HTTP/1 says `connection: close`,
//! and every HTTP/2 connection that has a request gets a GOAWAY, so that clients leave by themselves. When the
//! service is stopping,
//!
//! - connections that the kernel had completed are accepted and served;
//! - an idle connection closes; one whose client was answered less than 250 ms ago is still read until then;
//! - a request whose head or body is not whole has [`stalled_client`](Server::stalled_client) (2 s). Then the
//!   connection closes, or the handler gets an error instead of the body, and it is not a failure of the stop;
//! - a running handler has all of its service's time, and its answer is written before the connection closes.
//!   One that is cut off is abandoned work: the exit code is 124, and the report names the request.
//!
//! # In reports
//!
//! A request that is being served is in the straggler report and in [`status`](crate::status()) by its
//! method and path, never its query or headers: `2 x GET /orders of service http, oldest 3.2 s, waiting`. At
//! most 20 different ones are named, the rest are `others`.

mod accept;
mod settings;
mod body;
mod service;
mod io;
mod connection;
mod server;
mod upgrade;

use std::error::Error;
use std::io as std_io;

pub use hyper::{Request, Response, StatusCode};
use tower_service::Service;

pub use accept::{Accept, WithHandshake, with_handshake};
pub use body::{Body, BodyError};
pub use server::Server;
pub use service::{Answer, CallFn, ServiceFn, TakesIncoming, incoming, service_fn};
pub use upgrade::{OnUpgrade, upgrade};

#[cfg(feature = "axum")]
pub(crate) use service::NamedRequest;

/// Serves a tower service on a listener until the stop, with the defaults of [`Server`].
///
/// Each connection is a session of the service that calls this. The future is ready when no more connections
/// come; those that there are go on as sessions, and are waited for as every session is.
///
/// An error of the service's is logged and answered with 500. The address of the client is a
/// [`Peer`](crate::Peer) among the request's extensions.
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
/// When the future is dropped, no more connections are accepted. Those that were go on.
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

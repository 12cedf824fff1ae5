//! Serving an axum router (feature `axum`).

mod websocket;

use std::io;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::http::{Accept, NamedRequest, Server};

pub use websocket::WebSocketUpgrade;

/// Serves a router as [`http::serve`](crate::http::serve) does. Reports name each request by the template of its
/// route, `GET /orders/{id}`, so there is not a row for each order.
///
/// ```no_run
/// use axum::Router;
/// use axum::routing::get;
///
/// #[canstop::service]
/// async fn http(lifecycle: canstop::Lifecycle) -> std::io::Result<()> {
///     let app = Router::new().route("/orders/{id}", get(|| async { "an order" }));
///     let listener = canstop::listen("http", "127.0.0.1:8080").await?;
///     lifecycle.ready();
///     canstop::axum::serve(listener, app).await
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
#[track_caller]
pub fn serve<A>(listener: A, router: Router) -> impl Future<Output = io::Result<()>> + Send
where
    A: Accept + Sync,
{
    serve_with(Server::new(), listener, router)
}

/// As [`serve`], with a configured server.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use canstop::http::Server;
///
/// async fn serve(listener: canstop::Listener) -> std::io::Result<()> {
///     let app = Router::new().route("/", get(|| async { "hello" }));
///     // A handler runs to its end when its client disconnects.
///     canstop::axum::serve_with(Server::new().shield_requests(true), listener, app).await
/// }
/// # use canstop::testing::{Clock, Harness};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # Harness::new().clock(Clock::Real).run(async |mut sup| {
/// # let listener = canstop::listen("http", "127.0.0.1:0").await.unwrap();
/// # let address = listener.local_addr().unwrap();
/// # canstop::spawn_session!(serve(listener));
/// # let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
/// # client.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await.unwrap();
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer).await.unwrap();
/// # assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
/// # assert!(answer.ends_with("hello"), "{answer}");
/// # assert!(sup.stop().await.is_clean());
/// # });
/// ```
///
/// # Errors
///
/// The listener's.
///
/// # Panics
///
/// Outside a supervisor.
#[track_caller]
pub fn serve_with<A>(server: Server, listener: A, router: Router) -> impl Future<Output = io::Result<()>> + Send
where
    A: Accept + Sync,
{
    server.named_by_route().serve(listener, router.layer(NameRequests))
}

/// A layer within the router, where the route is known.
#[derive(Clone, Copy)]
struct NameRequests;

impl<S> Layer<S> for NameRequests {
    type Service = NamesRequests<S>;

    fn layer(&self, inner: S) -> NamesRequests<S> {
        NamesRequests(inner)
    }
}

#[derive(Clone)]
struct NamesRequests<S>(S);

impl<S: Service<Request>> Service<Request> for NamesRequests<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        let extensions = request.extensions();
        if let (Some(route), Some(named)) = (extensions.get::<MatchedPath>(), extensions.get::<NamedRequest>()) {
            named.0.set_route(route.as_str());
        }
        self.0.call(request)
    }
}

//! Serving an axum router (feature `axum`).

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use crate::http::{Accept, NamedRequest, Server};

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
    server.named_by_route().serve(listener, router.layer(from_fn(name_request)))
}

/// A middleware within the router, where the route is known.
async fn name_request(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    if let (Some(route), Some(named)) = (extensions.get::<MatchedPath>(), extensions.get::<NamedRequest>()) {
        named.0.set_route(request.method(), Arc::from(route.as_str()));
    }
    next.run(request).await
}

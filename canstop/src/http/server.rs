//! The settings of a server.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body as HttpBody;
use hyper::{Request, Response};
use tower_service::Service;

use super::accept::Accept;
use super::body::Body;
use super::connection::Connection;
use super::service::Handler;
use super::settings::Settings;
use crate::lifecycle::Lifecycle;
use crate::session::requests::Exchange;
use crate::session::{NotAResult, Session, site_of};

/// A server with its settings, for use in place of [`serve`](super::serve).
///
/// ```no_run
/// # use canstop::http::{Body, Request, Response, service_fn};
/// # async fn example(listener: canstop::Listener) -> std::io::Result<()> {
/// # let app = service_fn(|_: Request<Body>| async { Response::new(String::new()) });
/// use std::time::Duration;
///
/// let server = canstop::http::Server::new().body_timeout(Duration::from_secs(5)).shield_requests(true);
/// server.serve(listener, app).await
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it serves when `serve` is called"]
pub struct Server(Settings);

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A server with the default settings.
    pub fn new() -> Self {
        Self(Settings {
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            stalled_client: Duration::from_secs(2),
            idle_timeout: None,
            shield_requests: false,
            #[cfg(feature = "axum")]
            named_by_route: false,
        })
    }

    /// How long a client may take for a handshake, and for the head of a request from its first byte on: 10 s by
    /// default. Then the connection closes. During a stop it is at most [`stalled_client`](Self::stalled_client).
    pub fn head_timeout(mut self, limit: Duration) -> Self {
        self.0.head_timeout = limit;
        self
    }

    /// How long a handler waits for the rest of a request's body: 30 s by default. A client that sends
    /// at least 16 KiB in that time gets the same time again. Then the body ends with an error, and the handler
    /// responds as to any body that cannot be read.
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        self.0.body_timeout = limit;
        self
    }

    /// How long a client may stall during a stop: 2 s by default, and at most half of the service's remaining time.
    /// Then its connection closes, which is not a failure of the stop. This does not limit a running handler.
    pub fn stalled_client(mut self, limit: Duration) -> Self {
        self.0.stalled_client = limit;
        self
    }

    /// How long an HTTP/1 connection may be idle between two requests; unlimited by default. A limit costs each idle
    /// connection a timer.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.0.idle_timeout = Some(limit);
        self
    }

    /// Lets a handler run to its end when its client disconnects. By default it is dropped at its next `.await`, as
    /// in hyper.
    pub fn shield_requests(mut self, shield: bool) -> Self {
        self.0.shield_requests = shield;
        self
    }

    #[cfg(feature = "axum")]
    pub(crate) fn named_by_route(mut self) -> Self {
        self.0.named_by_route = true;
        self
    }

    /// Serves as [`serve`](super::serve) does.
    ///
    /// # Errors
    ///
    /// The listener's.
    ///
    /// # Panics
    ///
    /// Outside a supervisor.
    #[track_caller]
    pub fn serve<A, S, B>(self, listener: A, service: S) -> impl Future<Output = io::Result<()>> + Send
    where
        A: Accept + Sync,
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: HttpBody + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let site = site_of("connection", std::panic::Location::caller(), || "canstop::http::serve");
        let settings = Arc::new(self.0);
        async move {
            let lifecycle = Lifecycle::current();
            while let Some(accepted) = listener.accept().await {
                let (handshake, peer) = accepted?;
                let exchange = Exchange::enter(site, lifecycle.scope(), None);
                let handler =
                    Handler::new(service.clone(), Arc::clone(&exchange), Arc::clone(&settings), &lifecycle, peer);
                let connection = Connection::<A, S>::new(handshake, handler);
                Session::at(site).spawn(connection, |_| NotAResult);
            }
            Ok(())
        }
    }
}

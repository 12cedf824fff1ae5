//! How a server serves.

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

/// How [`serve`](super::serve) serves, where its defaults do not fit.
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
    /// A server with the defaults.
    pub fn new() -> Self {
        Self(Settings {
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            stalled_client: Duration::from_secs(2),
            idle_timeout: None,
            shield_requests: false,
            named_by_route: false,
        })
    }

    /// How long a client may take for a handshake, and for the head of a request from its first byte on: 10 s.
    /// Then the connection closes. In a stop it is at most [`stalled_client`](Self::stalled_client).
    pub fn head_timeout(mut self, limit: Duration) -> Self {
        self.0.head_timeout = limit;
        self
    }

    /// How long a handler that wants the rest of a request's body waits for it: 30 s. A client that sends at
    /// least 16 KiB in that time gets as much again. Then the body ends with an error, and the handler
    /// answers as it does to any body that cannot be read.
    pub fn body_timeout(mut self, limit: Duration) -> Self {
        self.0.body_timeout = limit;
        self
    }

    /// How long a client may stall in a stop: 2 s, and at most half of what is left to the service. It is
    /// cut off then, and that is not a failure of the stop. A running handler is not concerned.
    pub fn stalled_client(mut self, limit: Duration) -> Self {
        self.0.stalled_client = limit;
        self
    }

    /// How long an HTTP/1 connection may be idle between two requests; without a limit by default. It costs
    /// each idle connection a timer.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.0.idle_timeout = Some(limit);
        self
    }

    /// Lets a handler run to its end when its client hangs up. By default it is dropped at its next
    /// `.await`, as hyper does.
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

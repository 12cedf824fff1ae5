//! Calling the user's service for a request.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use hyper::body::{Body as HttpBody, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use pin_project_lite::pin_project;
use tokio::task::JoinHandle;
use tower_service::Service;

use super::body::{AnswerBody, Body, Serving};
use super::settings::Settings;
use super::upgrade::{self, HasSession};
use crate::lifecycle::Lifecycle;
use crate::listen::Peer;
use crate::session::requests::Exchange;
use crate::session::{NotAResult, Session};

type BoxError = Box<dyn Error + Send + Sync>;

/// What is served: short for the bounds of a tower service of requests.
pub(super) trait App:
    Service<Request<Body>, Response = Response<Self::Answer>, Future: Send + 'static, Error: Into<BoxError>>
    + Clone
    + Send
    + 'static
{
    /// The bodies of its responses.
    type Answer: HttpBody<Data: Send, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> App for S
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: HttpBody + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Answer = B;
}

/// The user's service, as hyper calls it for one connection.
pub(super) struct Handler<S> {
    service: S,
    pub(super) exchange: Arc<Exchange>,
    pub(super) settings: Arc<Settings>,
    pub(super) lifecycle: Lifecycle,
    peer: Peer,
    pub(super) is_http2: bool,
}

impl<S> Handler<S> {
    pub(super) fn new(
        service: S,
        exchange: Arc<Exchange>,
        settings: Arc<Settings>,
        lifecycle: &Lifecycle,
        peer: Peer,
    ) -> Self {
        Self { service, exchange, settings, lifecycle: lifecycle.clone(), peer, is_http2: false }
    }
}

/// Sets the name of a request's route.
#[cfg(feature = "axum")]
#[derive(Clone)]
pub(crate) struct NamedRequest(pub(crate) Arc<Exchange>);

impl<S: App> hyper::service::Service<Request<Incoming>> for Handler<S> {
    type Response = Response<AnswerBody<S::Answer>>;
    type Error = Infallible;
    type Future = Answering<S>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let exchange = if self.is_http2 {
            // Its requests are served concurrently.
            Exchange::enter(self.exchange.site(), self.exchange.scope(), Some(Arc::clone(&self.exchange)))
        } else {
            Arc::clone(&self.exchange)
        };
        exchange.begin(request.method(), request.uri());
        let mut request = request.map(|body| Body::new(body, &exchange, &self.settings, &self.lifecycle));
        request.extensions_mut().insert(self.peer.clone());
        #[cfg(feature = "axum")]
        if self.settings.named_by_route {
            request.extensions_mut().insert(NamedRequest(Arc::clone(&exchange)));
        }
        let is_http1 = request.version() <= Version::HTTP_11;
        let is_connect = request.method() == Method::CONNECT;
        let polled = exchange.polled();
        let calling = Calling::new(self.service.clone(), request);
        drop(polled);
        let running = if self.is_http2 && self.settings.shield_requests {
            let session = Session::at(exchange.site()).spawn(calling, |_| NotAResult);
            Running::Shielded { session }
        } else {
            Running::Direct { calling }
        };
        Answering { running, serving: Some(Serving(exchange)), lifecycle: self.lifecycle.clone(), is_http1, is_connect }
    }
}

pin_project! {
    /// Waits until the service is ready, and calls it.
    #[project = CallingProjection]
    pub(super) enum Calling<S>
    where
        S: Service<Request<Body>>,
    {
        Waiting { service: S, request: Option<Request<Body>> },
        Called { #[pin] future: S::Future, has_session: bool },
    }
}

impl<S: App> Calling<S> {
    /// Calls the service at once if it is ready, as most always are. Then the request need not be kept for later.
    fn new(mut service: S, request: Request<Body>) -> Self {
        // A service that is not ready is polled again, with a waker.
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Self::call(&mut service, request),
            _ => Self::Waiting { service, request: Some(request) },
        }
    }

    fn call(service: &mut S, request: Request<Body>) -> Self {
        let before = upgrade::spawned();
        let future = service.call(request);
        Self::Called { future, has_session: upgrade::spawned() != before }
    }
}

impl<S: App> Future for Calling<S> {
    type Output = Result<Response<S::Answer>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                CallingProjection::Waiting { service, request, .. } => {
                    ready!(service.poll_ready(cx)).map_err(Into::into)?;
                    let request = request.take().expect("it is called once");
                    let called = Self::call(service, request);
                    self.set(called);
                }
                CallingProjection::Called { future, has_session } => {
                    let before = upgrade::spawned();
                    let polled = future.poll(cx);
                    *has_session |= upgrade::spawned() != before;
                    let mut response = ready!(polled).map_err(Into::into)?;
                    if *has_session {
                        response.extensions_mut().insert(HasSession);
                    }
                    return Poll::Ready(Ok(response));
                }
            }
        }
    }
}

pin_project! {
    #[project = RunningProjection]
    enum Running<S>
    where
        S: App,
    {
        Direct { #[pin] calling: Calling<S> },
        /// In a session of its own, which a disconnected client does not end.
        Shielded { session: JoinHandle<Result<Response<S::Answer>, BoxError>> },
    }
}

pin_project! {
    /// A request in progress.
    pub(super) struct Answering<S>
    where
        S: App,
    {
        #[pin]
        running: Running<S>,
        serving: Option<Serving>,
        lifecycle: Lifecycle,
        is_http1: bool,
        is_connect: bool,
    }
}

impl<S: App> Future for Answering<S> {
    type Output = Result<Response<AnswerBody<S::Answer>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let serving = this.serving.as_ref().expect("it is polled until it is ready");
        let polled = serving.0.polled();
        let answer = match this.running.project() {
            RunningProjection::Direct { calling } => calling.poll(cx),
            RunningProjection::Shielded { session } => {
                Pin::new(session).poll(cx).map(|ended| ended.unwrap_or_else(|error| Err(error.into())))
            }
        };
        drop(polled);
        let answer = ready!(answer);
        let serving = this.serving.take().expect("it was there just now");
        let mut answer = match answer {
            Ok(mut answer) => {
                let is_upgrade = answer.status() == StatusCode::SWITCHING_PROTOCOLS
                    || (*this.is_connect && answer.status().is_success());
                let has_session = answer.extensions_mut().remove::<HasSession>().is_some();
                if is_upgrade && !(has_session && *this.is_http1) {
                    serving.0.upgrade();
                }
                answer.map(|body| AnswerBody::new((!is_upgrade).then_some(body), serving))
            }
            Err(error) => {
                tracing::error!(target: "canstop::http", "a request failed: {error}");
                let mut answer = Response::new(AnswerBody::new(None, serving));
                *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                answer
            }
        };
        // An upgraded connection no longer speaks HTTP, and HTTP/2 sends one GOAWAY for the connection.
        let closes = this.lifecycle.is_draining() || this.lifecycle.is_stopping();
        if closes && *this.is_http1 && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(answer))
    }
}

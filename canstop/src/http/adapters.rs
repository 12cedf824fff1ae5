//! Services from plain functions, and from services for hyper's own body.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::Body;

/// A plain function as a service, made by [`service_fn`].
#[derive(Clone, Copy, Debug)]
pub struct ServiceFn<F>(F);

/// Makes a service from a plain function. The function takes a request and returns a response, or a `Result` of a
/// response and any error, which is logged and answered with 500.
///
/// ```no_run
/// use canstop::http::{Body, Request, Response};
///
/// async fn hello(request: Request<Body>) -> Response<String> {
///     Response::new(format!("hello, {}\n", request.uri().path()))
/// }
///
/// #[canstop::service]
/// async fn http(lifecycle: canstop::Lifecycle) -> std::io::Result<()> {
///     let listener = canstop::listen("http", "127.0.0.1:8080").await?;
///     lifecycle.ready();
///     canstop::http::serve(listener, canstop::http::service_fn(hello)).await
/// }
/// ```
pub fn service_fn<F, R>(function: F) -> ServiceFn<F>
where
    F: FnMut(Request<Body>) -> R,
    R: Future,
    R::Output: Answer,
{
    ServiceFn(function)
}

mod sealed {
    #[expect(unnameable_types, reason = "a trait that others cannot name is one that they cannot implement")]
    pub trait Sealed {}
    impl<B> Sealed for hyper::Response<B> {}
    impl<B, E> Sealed for Result<hyper::Response<B>, E> {}
}

/// What a plain function may return: a response, or a `Result` of one. It cannot be implemented outside this crate.
pub trait Answer: sealed::Sealed {
    /// The response's body.
    type Body;
    /// The error type.
    type Error;

    /// Converts to a `Result`.
    ///
    /// # Errors
    ///
    /// The function's own.
    fn into_result(self) -> Result<Response<Self::Body>, Self::Error>;
}

impl<B> Answer for Response<B> {
    type Body = B;
    type Error = Infallible;

    fn into_result(self) -> Result<Response<B>, Infallible> {
        Ok(self)
    }
}

impl<B, E> Answer for Result<Response<B>, E> {
    type Body = B;
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

impl<F, R> Service<Request<Body>> for ServiceFn<F>
where
    F: FnMut(Request<Body>) -> R,
    R: Future,
    R::Output: Answer,
{
    type Response = Response<<R::Output as Answer>::Body>;
    type Error = <R::Output as Answer>::Error;
    type Future = CallFn<R>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> CallFn<R> {
        CallFn { future: (self.0)(request) }
    }
}

pin_project! {
    /// The future of a plain function.
    #[derive(Debug)]
    pub struct CallFn<R> {
        #[pin]
        future: R,
    }
}

impl<R> Future for CallFn<R>
where
    R: Future,
    R::Output: Answer,
{
    type Output = Result<Response<<R::Output as Answer>::Body>, <R::Output as Answer>::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Answer::into_result)
    }
}

/// A service for hyper's own body, made by [`incoming`].
#[derive(Clone, Copy, Debug)]
pub struct TakesIncoming<S>(S);

/// Adapts a tower service for hyper's own body, `Request<hyper::body::Incoming>`. Such a body has no
/// [`body_timeout`](super::Server::body_timeout).
pub fn incoming<S: Service<Request<Incoming>>>(service: S) -> TakesIncoming<S> {
    TakesIncoming(service)
}

impl<S: Service<Request<Incoming>>> Service<Request<Body>> for TakesIncoming<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.0.call(request.map(Body::into_incoming))
    }
}

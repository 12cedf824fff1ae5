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
///
/// [`service_fn`] has an example.
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
///
/// ```
/// use canstop::http::{Body, Request, Response, service_fn};
///
/// /// An error is logged and answered with 500.
/// async fn order(request: Request<Body>) -> Result<Response<String>, &'static str> {
///     match request.uri().path() {
///         "/orders" => Ok(Response::new("no orders".to_owned())),
///         _ => Err("there is no such page"),
///     }
/// }
/// # use canstop::testing::{Clock, Harness};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # Harness::new().clock(Clock::Real).run(async |mut sup| {
/// # let listener = canstop::listen("http", "127.0.0.1:0").await.unwrap();
/// # let address = listener.local_addr().unwrap();
/// # canstop::spawn_session!(canstop::http::serve(listener, service_fn(order)));
/// # let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
/// # client.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await.unwrap();
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer).await.unwrap();
/// # assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
/// # assert!(answer.ends_with(""), "{answer}");
/// # assert!(sup.stop().await.is_clean());
/// # });
/// ```
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
///
/// [`incoming`] has an example.
#[derive(Clone, Copy, Debug)]
pub struct TakesIncoming<S>(S);

/// Adapts a tower service for hyper's own body, `Request<hyper::body::Incoming>`. Such a body has no
/// [`body_timeout`](super::Server::body_timeout).
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
///
/// use canstop::http::{Request, Response};
/// use hyper::body::{Body, Incoming};
/// use tower_service::Service;
///
/// /// A service that names hyper's body.
/// #[derive(Clone)]
/// struct HasBody;
///
/// impl Service<Request<Incoming>> for HasBody {
///     type Response = Response<String>;
///     type Error = Infallible;
///     type Future = Ready<Result<Response<String>, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, request: Request<Incoming>) -> Self::Future {
///         ready(Ok(Response::new(format!("{}", !request.body().is_end_stream()))))
///     }
/// }
///
/// async fn serve(listener: canstop::Listener) -> std::io::Result<()> {
///     canstop::http::serve(listener, canstop::http::incoming(HasBody)).await
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
/// # assert!(answer.ends_with("false"), "{answer}");
/// # assert!(sup.stop().await.is_clean());
/// # });
/// ```
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

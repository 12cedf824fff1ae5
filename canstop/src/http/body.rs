//! The bodies of requests and responses, with their timeouts.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

use super::settings::Settings;
use crate::lifecycle::{Lifecycle, Stopping};
use crate::session::request_phase::Phase;
use crate::session::requests::Exchange;

/// A client that transfers this many bytes within a timeout is not stalled.
pub(super) const PROGRESS: u64 = 16 * 1024;

/// The body of a request that [`serve`](super::serve) passes to its service.
///
/// It is hyper's body with the limits of the server: if the client stalls, it ends with an error for which
/// [`BodyError::is_stalled`] is true.
///
/// ```
/// use canstop::http::{Body, Request, Response, StatusCode};
/// use http_body_util::BodyExt;
///
/// async fn echo(request: Request<Body>) -> Response<String> {
///     match request.into_body().collect().await {
///         Ok(body) => Response::new(String::from_utf8_lossy(&body.to_bytes()).into_owned()),
///         Err(error) => {
///             let mut response = Response::new(error.to_string());
///             let stalled = error.is_stalled();
///             *response.status_mut() = if stalled { StatusCode::REQUEST_TIMEOUT } else { StatusCode::BAD_REQUEST };
///             response
///         }
///     }
/// }
/// # use canstop::testing::{Clock, Harness};
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # Harness::new().clock(Clock::Real).run(async |mut sup| {
/// # let listener = canstop::listen("http", "127.0.0.1:0").await.unwrap();
/// # let address = listener.local_addr().unwrap();
/// # canstop::spawn_session!(canstop::http::serve(listener, canstop::http::service_fn(echo)));
/// # let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
/// # client.write_all(b"POST / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ncontent-length: 6\r\n\r\napples").await.unwrap();
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer).await.unwrap();
/// # assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
/// # assert!(answer.ends_with("apples"), "{answer}");
/// # assert!(sup.stop().await.is_clean());
/// # });
/// ```
pub struct Body {
    incoming: Incoming,
    watch: Option<Watch>,
}

struct Watch {
    exchange: Arc<Exchange>,
    settings: Arc<Settings>,
    lifecycle: Lifecycle,
    wait: Option<Box<Wait>>,
    /// The body was read completely.
    is_read: bool,
}

/// The time in which the client must send.
struct Wait {
    sleep: Pin<Box<Sleep>>,
    stopping: Option<Stopping>,
    /// How many bytes have arrived since the time began.
    bytes: u64,
    period: Duration,
}

impl Body {
    pub(super) fn new(
        incoming: Incoming,
        exchange: &Arc<Exchange>,
        settings: &Arc<Settings>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let watch = || Watch {
            exchange: Arc::clone(exchange),
            settings: Arc::clone(settings),
            lifecycle: lifecycle.clone(),
            wait: None,
            is_read: false,
        };
        Self { watch: (!incoming.is_end_stream()).then(watch), incoming }
    }

    /// Hyper's own body, without timeouts.
    pub fn into_incoming(self) -> Incoming {
        self.incoming
    }
}

impl Watch {
    /// Returns true if the client is stalled.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.exchange.move_phase(Phase::Handler, Phase::Receiving);
        let Self { settings, lifecycle, wait, .. } = self;
        let wait = wait.get_or_insert_with(|| {
            let period = settings.body_timeout;
            Box::new(Wait { sleep: Box::pin(sleep(period)), stopping: Some(lifecycle.stopping()), bytes: 0, period })
        });
        let wait = &mut **wait;
        if let Some(stopping) = &mut wait.stopping
            && Pin::new(stopping).poll(cx).is_ready()
        {
            wait.stopping = None;
            wait.bytes = 0;
            wait.period = settings.stalled_in_stop(lifecycle).min(wait.period);
            let end = (Instant::now() + wait.period).min(wait.sleep.deadline());
            wait.sleep.as_mut().reset(end);
        }
        loop {
            if wait.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if wait.bytes < PROGRESS {
                return Poll::Ready(());
            }
            wait.bytes = 0;
            wait.sleep.as_mut().reset(Instant::now() + wait.period);
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = Pin::new(&mut this.incoming).poll_frame(cx);
        let Some(watch) = &mut this.watch else {
            return frame.map(|frame| frame.map(|frame| frame.map_err(|error| BodyError(Reason::Connection(error)))));
        };
        match frame {
            Poll::Ready(frame) => {
                watch.exchange.move_phase(Phase::Receiving, Phase::Handler);
                if let (Some(wait), Some(Ok(frame))) = (&mut watch.wait, &frame) {
                    wait.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                }
                if frame.is_none() || this.incoming.is_end_stream() {
                    watch.is_read = true;
                    this.watch = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(|error| BodyError(Reason::Connection(error)))))
            }
            Poll::Pending => {
                if watch.poll_stalled(cx).is_pending() {
                    return Poll::Pending;
                }
                watch.exchange.move_phase(Phase::Receiving, Phase::Handler);
                Poll::Ready(Some(Err(BodyError(Reason::Stalled))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_read {
            self.exchange.leave_body_unread();
        }
        self.exchange.move_phase(Phase::Receiving, Phase::Handler);
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}

/// Why a [`Body`] ended early.
///
/// [`Body`] has an example.
#[derive(Debug)]
pub struct BodyError(Reason);

#[derive(Debug)]
enum Reason {
    Stalled,
    Connection(hyper::Error),
}

impl BodyError {
    /// Returns true if the client stopped sending in the middle of the body.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        matches!(self.0, Reason::Stalled)
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Stalled => f.write_str("the client stalled in the middle of the request's body"),
            Reason::Connection(_) => f.write_str("the connection broke in the middle of the request's body"),
        }
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Reason::Stalled => None,
            Reason::Connection(error) => Some(error),
        }
    }
}

/// While it is held, the request is being served.
pub(super) struct Serving(pub(super) Arc<Exchange>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.end();
    }
}

pin_project! {
    /// A response's body: the service's own, or `None` if the service failed or the connection is upgraded.
    pub(super) struct AnswerBody<B> {
        #[pin]
        inner: Option<B>,
        serving: Serving,
    }
}

impl<B: HttpBody> AnswerBody<B> {
    pub(super) fn new(inner: Option<B>, serving: Serving) -> Self {
        if serving.0.phase() != Phase::Upgraded {
            serving.0.set_phase(Phase::Sending);
        }
        Self { inner, serving }
    }
}

impl<B: HttpBody> HttpBody for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        let exchange = &this.serving.0;
        // While the body is polled, user code runs.
        exchange.set_phase(Phase::Body);
        let polled = exchange.polled();
        let frame = inner.poll_frame(cx);
        drop(polled);
        if frame.is_ready() {
            exchange.set_phase(Phase::Sending);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

//! One connection, from its first byte to its end.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};

use super::accept::Accept;
use super::body::PROGRESS;
use super::io::{Io, Protocol};
use super::service::{App, Handler};
use super::settings::Settings;
use crate::lifecycle::{Lifecycle, Stopping};
use crate::session::request_phase::Phase;
use crate::session::requests::Exchange;
use crate::session::{NotAResult, Session, Site};

type BoxError = Box<dyn Error + Send + Sync>;

/// A client that got a response less than this ago may have its next request in flight. During a stop its
/// connection counts as idle only after that.
const NEXT_REQUEST: Duration = Duration::from_millis(250);

/// The streams of an HTTP/2 connection are sessions, as the connection is.
#[derive(Clone, Copy)]
struct Streams(&'static Site);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        Session::at(self.0).spawn(stream, |_| NotAResult);
    }
}

/// A connection of either protocol.
trait Http: Future<Output = hyper::Result<()>> + Send {
    /// Takes no request after those that have begun.
    fn shut_down(self: Pin<&mut Self>);
}

pin_project! {
    /// One of hyper's connections, and its way to shut down.
    struct WithShutDown<C> {
        #[pin]
        connection: C,
        shut_down: fn(Pin<&mut C>),
    }
}

impl<C: Future> Future for WithShutDown<C> {
    type Output = C::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        self.project().connection.poll(cx)
    }
}

impl<C: Future<Output = hyper::Result<()>> + Send> Http for WithShutDown<C> {
    fn shut_down(self: Pin<&mut Self>) {
        let this = self.project();
        (this.shut_down)(this.connection);
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<A, S>
    where
        A: Accept,
    {
        Handshake { #[pin] handshake: A::Handshake, handler: Option<Handler<S>> },
        Protocol { io: Option<Io<A>>, handler: Option<Handler<S>> },
        Serving { connection: Pin<Box<dyn Http>> },
        /// A task that is no session has the connection.
        Upgraded { closed: oneshot::Receiver<()> },
    }
}

pin_project! {
    /// A connection's session.
    pub(super) struct Connection<A, S>
    where
        A: Accept,
    {
        #[pin]
        stage: Stage<A, S>,
        course: Course,
    }
}

/// The state that decides when a connection ends, independent of its protocol.
struct Course {
    exchange: Arc<Exchange>,
    settings: Arc<Settings>,
    lifecycle: Lifecycle,
    stopping: Stopping,
    /// When the service began to stop, and how long its clients may stall.
    stop: Option<(Instant, Duration)>,
    has_handshake: bool,
    is_http2: bool,
    /// It takes no request after those that have begun.
    is_shut_down: bool,
    /// When a client that transfers nothing counts as stalled, and the transferred bytes when that was set.
    stalled_at: Option<(Instant, u64)>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What to do with a connection that cannot proceed by itself.
enum Next {
    Wait,
    WaitUntil(Instant),
    ShutDown,
    Close,
}

impl Course {
    fn next(&mut self) -> Next {
        if self.is_http2 {
            return self.next_of_http2();
        }
        let phase = self.exchange.phase();
        if phase != Phase::Sending && phase != Phase::Idle {
            self.stalled_at = None;
        }
        match phase {
            _ if !self.has_handshake => self.head_until(self.settings.head_timeout),
            Phase::Head => self.head_until(self.settings.head_timeout),
            Phase::Fresh => match self.stop {
                Some((_, stalled)) => self.head_until(stalled),
                None => self.idle(),
            },
            Phase::Idle => match self.stop {
                Some(_) if self.is_shut_down => self.stalled(),
                Some(_) => match NEXT_REQUEST.checked_sub(self.exchange.age()) {
                    Some(rest) if !rest.is_zero() => Next::WaitUntil(Instant::now() + rest),
                    _ => Next::ShutDown,
                },
                None => self.idle(),
            },
            // Its response has `connection: close`.
            Phase::Handler | Phase::Receiving | Phase::Upgraded => Next::Wait,
            Phase::Body | Phase::Sending if self.stop.is_some() && !self.is_shut_down => Next::ShutDown,
            Phase::Sending if self.stop.is_some() => self.stalled(),
            Phase::Body | Phase::Sending => Next::Wait,
        }
    }

    fn next_of_http2(&mut self) -> Next {
        let drains = self.stop.is_some() || self.lifecycle.is_draining();
        if drains && !self.is_shut_down && self.exchange.requests() > 0 {
            return Next::ShutDown;
        }
        let Some((_, stalled)) = self.stop else { return Next::Wait };
        if self.exchange.is_running() {
            self.stalled_at = None;
            return Next::Wait;
        }
        if self.is_shut_down {
            return self.stalled();
        }
        match stalled.checked_sub(self.exchange.age()) {
            Some(rest) if !rest.is_zero() => Next::WaitUntil(Instant::now() + rest),
            _ => Next::ShutDown,
        }
    }

    /// The client has this long from the beginning of the phase, and during a stop no longer than a stalled one.
    fn head_until(&self, limit: Duration) -> Next {
        let now = Instant::now();
        let mut rest = limit.saturating_sub(self.exchange.age());
        if let Some((began, stalled)) = self.stop {
            rest = rest.min((began + stalled).saturating_duration_since(now));
        }
        if rest.is_zero() { Next::Close } else { Next::WaitUntil(now + rest) }
    }

    fn idle(&self) -> Next {
        match self.settings.idle_timeout {
            Some(limit) => self.head_until(limit),
            None => Next::Wait,
        }
    }

    /// Waits for the client of a connection that only has to be written or closed, as long as it transfers bytes.
    fn stalled(&mut self) -> Next {
        let Some((_, period)) = self.stop else { return Next::Wait };
        let (now, moved) = (Instant::now(), self.exchange.bytes_moved());
        // A handler that waits for its client first gets the error of the stalled body.
        let period = if self.is_http2 { period + period / 4 } else { period };
        match self.stalled_at {
            Some((end, before)) if now >= end && moved - before < PROGRESS => return Next::Close,
            Some((end, _)) if now < end => {}
            _ => self.stalled_at = Some((now + period, moved)),
        }
        let (end, _) = self.stalled_at.expect("it was set just now");
        Next::WaitUntil(end)
    }

    fn poll_timer(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }
}

impl<A: Accept, S: App> Connection<A, S> {
    pub(super) fn new(handshake: A::Handshake, handler: Handler<S>) -> Self {
        let course = Course {
            exchange: Arc::clone(&handler.exchange),
            settings: Arc::clone(&handler.settings),
            lifecycle: handler.lifecycle.clone(),
            stopping: handler.lifecycle.stopping(),
            stop: None,
            has_handshake: false,
            is_http2: false,
            is_shut_down: false,
            stalled_at: None,
            timer: None,
        };
        Self { stage: Stage::Handshake { handshake, handler: Some(handler) }, course }
    }

    /// Proceeds until the client or a handler has to act; ready when the connection has ended.
    fn poll_stage(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            let mut this = self.as_mut().project();
            let next = match this.stage.as_mut().project() {
                StageProjection::Handshake { handshake, handler } => {
                    let stream = ready!(handshake.poll(cx))?;
                    this.course.has_handshake = true;
                    Stage::Protocol {
                        io: Some(Io::new(stream, Arc::clone(&this.course.exchange))),
                        handler: handler.take(),
                    }
                }
                StageProjection::Protocol { io, handler } => {
                    let reading = io.as_mut().expect("it is there until the protocol is known");
                    let Some(protocol) = ready!(reading.poll_protocol(cx))? else { return Poll::Ready(Ok(())) };
                    let io = TokioIo::new(io.take().expect("it was read just now"));
                    let mut handler = handler.take().expect("it is there until the protocol is known");
                    let connection: Pin<Box<dyn Http>> = match protocol {
                        Protocol::Http1 => {
                            let mut builder = http1::Builder::new();
                            builder.header_read_timeout(None).half_close(this.course.settings.shield_requests);
                            Box::pin(WithShutDown {
                                connection: builder.serve_connection(io, handler).with_upgrades(),
                                shut_down: |connection| connection.graceful_shutdown(),
                            })
                        }
                        Protocol::Http2 => {
                            this.course.is_http2 = true;
                            handler.is_http2 = true;
                            let mut builder = http2::Builder::new(Streams(this.course.exchange.site()));
                            builder.enable_connect_protocol();
                            Box::pin(WithShutDown {
                                connection: builder.serve_connection(io, handler),
                                shut_down: |connection| connection.graceful_shutdown(),
                            })
                        }
                    };
                    Stage::Serving { connection }
                }
                StageProjection::Serving { connection } => {
                    ready!(connection.as_mut().poll(cx))?;
                    let Some(closed) = this.course.exchange.closed() else { return Poll::Ready(Ok(())) };
                    Stage::Upgraded { closed }
                }
                // An error is the end of the sender, which is all that this waits for.
                StageProjection::Upgraded { closed } => return Pin::new(closed).poll(cx).map(|_| Ok(())),
            };
            this.stage.set(next);
        }
    }
}

impl<A: Accept, S: App> Future for Connection<A, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let course = self.as_mut().project().course;
        if course.stop.is_none() && Pin::new(&mut course.stopping).poll(cx).is_ready() {
            course.stop = Some((Instant::now(), course.settings.stalled_in_stop(&course.lifecycle)));
            course.exchange.begin_stop();
        }
        loop {
            if let Poll::Ready(ended) = self.as_mut().poll_stage(cx) {
                if let Err(error) = ended {
                    // A client's error is not a failure of the program.
                    tracing::debug!(target: "canstop::http", "a connection broke: {error}");
                }
                return Poll::Ready(());
            }
            let this = self.as_mut().project();
            match this.course.next() {
                Next::Wait => {
                    this.course.timer = None;
                    return Poll::Pending;
                }
                Next::WaitUntil(until) => {
                    ready!(this.course.poll_timer(until, cx));
                    this.course.timer = None;
                }
                Next::ShutDown => {
                    this.course.is_shut_down = true;
                    if let StageProjection::Serving { connection } = this.stage.project() {
                        connection.as_mut().shut_down();
                    }
                }
                Next::Close => {
                    tracing::debug!(target: "canstop::http", "a client stalled, and its connection is closed");
                    return Poll::Ready(());
                }
            }
        }
    }
}

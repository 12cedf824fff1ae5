//! Waiting for the stop.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::machine::RunId;
use crate::session::{Scope, is_polled_directly};

/// Completes when the program, or the service it was made for, is asked to stop.
///
/// Made by [`Lifecycle::stopping`](super::Lifecycle::stopping). It may be polled again after it was
/// ready.
///
/// ```
/// use std::time::Duration;
///
/// use canstop::Lifecycle;
/// use canstop::testing::Harness;
/// use tokio::time::interval;
///
/// #[canstop::service]
/// async fn ticker(lifecycle: Lifecycle) {
///     let mut ticks = interval(Duration::from_secs(1));
///     let mut stopping = lifecycle.stopping();
///     loop {
///         tokio::select! {
///             _ = ticks.tick() => println!("tick"),
///             () = &mut stopping => break,
///         }
///     }
/// }
///
/// Harness::new().run(async |mut sup| {
///     sup.start(ticker());
///     sup.advance(Duration::from_secs(3)).await;
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Stopping {
    scope: &'static Scope,
    run: RunId,
    /// Only where the waker is not the task's own.
    registered: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Stopping {
    pub(super) fn new(scope: &'static Scope, run: RunId) -> Self {
        Self { scope, run, registered: None }
    }

    #[inline]
    fn is_stopping(&self) -> bool {
        self.scope.is_stopping(self.run)
    }

    /// A stop request wakes the body of its scope, and every waiting session. So where these are polled with the waker
    /// of their own task, and not with one of a combinator, there is nothing to register.
    #[inline]
    fn is_woken_anyway(&self, cx: &Context<'_>) -> bool {
        is_polled_directly(self.scope, cx.waker()) && self.scope.run_id() == self.run
    }

    /// Registers with the token, or polls what is registered.
    #[inline(never)]
    fn poll_registered(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let scope = self.scope;
        let registered = self.registered.get_or_insert_with(|| Box::pin(scope.token().cancelled_owned()));
        // A run that ended before the token was taken was signalled by another token.
        if registered.as_mut().poll(cx).is_ready() || self.is_stopping() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Future for Stopping {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_stopping() {
            return Poll::Ready(());
        }
        if self.registered.is_none() && self.is_woken_anyway(cx) {
            return Poll::Pending;
        }
        self.poll_registered(cx)
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopping").field("is_stopping", &self.is_stopping()).finish_non_exhaustive()
    }
}

pin_project! {
    /// Runs a future until it is done or a stop is requested, whichever is first.
    ///
    /// Made by [`Lifecycle::run_until_stopping`](super::Lifecycle::run_until_stopping).
    ///
    /// ```
    /// use std::future::{pending, ready};
    ///
    /// use canstop::testing::Harness;
    /// use canstop::{Lifecycle, Service};
    ///
    /// Harness::new().run(async |mut sup| {
    ///     sup.start(Service::new("worker", |lifecycle: Lifecycle| async move {
    ///         assert_eq!(lifecycle.run_until_stopping(ready(1)).await, Some(1));
    ///         assert_eq!(lifecycle.run_until_stopping(pending::<u32>()).await, None);
    ///     }));
    ///     assert!(sup.stop().await.is_clean());
    /// });
    /// ```
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    #[derive(Debug)]
    pub struct RunUntilStopping<F> {
        #[pin]
        future: F,
        stopping: Stopping,
        polled: bool,
    }
}

impl<F> RunUntilStopping<F> {
    pub(super) fn new(future: F, stopping: Stopping) -> Self {
        Self { future, stopping, polled: false }
    }
}

impl<F: Future> Future for RunUntilStopping<F> {
    type Output = Option<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // A loop that always finds its next connection ready must still notice the stop.
        if !*this.polled && this.stopping.is_stopping() {
            return Poll::Ready(None);
        }
        *this.polled = true;
        // Later the future is polled first, so that a result that is ready is not lost.
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Some(output));
        }
        Pin::new(this.stopping).poll(cx).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    use tokio::runtime::{Builder, Runtime};
    use tokio::time::Instant;

    use super::*;
    use crate::lifecycle::Lifecycle;
    use crate::machine::{Location, Owner, ServiceId};
    use crate::session::{Body, Supervisor, stop_watching_sessions, watch_sessions};

    const RUN: RunId = RunId(1);

    fn service(number: usize) -> &'static Scope {
        let (supervisor, _inbox) = Supervisor::new();
        let scope = supervisor.new_scope(
            Owner::Service(ServiceId(number)),
            "service",
            Location { file: "stopping.rs", line: 1 },
            RunId::default(),
        );
        scope.begin(RUN);
        scope
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    /// Runs this as the body of the service, and requests its stop as soon as it waits.
    fn stop_while_it_waits(scope: &'static Scope, body: impl Future<Output = ()> + Send + 'static) {
        let runtime = runtime();
        let body = runtime.spawn(Body::new(scope.body(), body));
        runtime.block_on(tokio::task::yield_now());
        assert!(!body.is_finished(), "it waits for the stop");
        watch_sessions();
        scope.supervisor().request_stop(scope, RUN, Instant::now());
        stop_watching_sessions();
        runtime.block_on(body).unwrap().unwrap();
    }

    #[test]
    fn a_body_is_stopped_without_registering() {
        let scope = service(0);
        stop_while_it_waits(scope, async move {
            let mut stopping = pin!(Lifecycle::new(scope, RUN).stopping());
            poll_fn(|cx| {
                let poll = stopping.as_mut().poll(cx);
                assert!(stopping.registered.is_none());
                poll
            })
            .await;
        });
    }

    /// A waker as a combinator may have: it wakes the task, and is not the task's own.
    struct Branch(Waker);

    impl Wake for Branch {
        fn wake(self: Arc<Self>) {
            self.0.wake_by_ref();
        }
    }

    #[test]
    fn a_future_with_another_waker_registers() {
        let scope = service(0);
        stop_while_it_waits(scope, async move {
            let mut stopping = pin!(Lifecycle::new(scope, RUN).stopping());
            poll_fn(|cx| {
                let branch = Waker::from(Arc::new(Branch(cx.waker().clone())));
                let poll = stopping.as_mut().poll(&mut Context::from_waker(&branch));
                assert!(stopping.registered.is_some());
                poll
            })
            .await;
        });
    }

    #[test]
    fn a_stop_of_another_service_is_registered_for() {
        let (scope, other) = (service(0), service(1));
        stop_while_it_waits(scope, async move {
            let mut stopping = pin!(Lifecycle::new(other, RUN).stopping());
            let mut own = pin!(Lifecycle::new(scope, RUN).stopping());
            poll_fn(|cx| {
                let entered = other.enter();
                assert!(stopping.as_mut().poll(cx).is_pending());
                assert!(stopping.registered.is_some());
                drop(entered);
                own.as_mut().poll(cx)
            })
            .await;
        });
    }
}

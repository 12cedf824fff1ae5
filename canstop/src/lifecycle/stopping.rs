//! Waiting for the stop.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::machine::Generation;
use crate::session::{Scope, current_scope, is_root_waker};

/// Completes when the program, or the service it was made for, is asked to stop.
///
/// Made by [`Lifecycle::stopping`](super::Lifecycle::stopping). It may be polled again after it was
/// ready.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Stopping {
    scope: &'static Scope,
    generation: Generation,
    /// Only where the waker is not the session's own.
    registered: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Stopping {
    pub(super) fn new(scope: &'static Scope, generation: Generation) -> Self {
        Self { scope, generation, registered: None }
    }

    fn is_told(&self) -> bool {
        self.scope.is_told(self.generation)
    }

    /// Whoever tells a scope wakes every session of it that waits. So a session that is polled by
    /// its own task, and not by a combinator with wakers of its own, has nothing to register.
    fn is_woken_anyway(&self, cx: &Context<'_>) -> bool {
        is_root_waker(cx.waker())
            && current_scope().is_some_and(|scope| std::ptr::eq(scope, self.scope))
            && self.scope.generation() == self.generation
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_told() {
            return Poll::Ready(());
        }
        if self.registered.is_none() && self.is_woken_anyway(cx) {
            return Poll::Pending;
        }
        let scope = self.scope;
        let registered = self.registered.get_or_insert_with(|| Box::pin(scope.token().cancelled_owned()));
        if registered.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        // A life that ended before the token was taken has been told under another token.
        if self.is_told() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopping").field("is_stopping", &self.is_told()).finish_non_exhaustive()
    }
}

pin_project! {
    /// Runs a future until it is done or a stop is requested, whichever is first.
    ///
    /// Made by [`Lifecycle::run_until_stopping`](super::Lifecycle::run_until_stopping).
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
        // A loop that always finds its next connection ready must still hear the stop.
        if !*this.polled && this.stopping.is_told() {
            return Poll::Ready(None);
        }
        *this.polled = true;
        // Later on the future is asked first: what it has already done is not to be lost.
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Some(output));
        }
        Pin::new(this.stopping).poll(cx).map(|()| None)
    }
}

//! Spawning from a site: what the macros call, and where the compiler says what a session must be.
//!
//! The bounds are on methods of a public type, and the user's expression is an argument of its own: so a note
//! that says who requires `Send` names something that can be looked up, and points at what the user wrote.

use std::fmt::Display;

use tokio::task::JoinHandle;
use tracing::Span;
use tracing::instrument::Instrument;

use super::current::expect_scope;
use super::label::{Label, WithLabel};
use super::output::OutputObserver;
use super::site::Site;
use super::tracked::{spawn_blocking_session, spawn_session};

/// A larger future or closure is boxed before it is moved on: without optimisation each move is a copy on the
/// stack. `tokio::spawn` has the same thresholds.
const BOX_ABOVE: usize = if cfg!(debug_assertions) { 2_048 } else { 16_384 };

/// What [`spawn_session!`](crate::spawn_session) and
/// [`spawn_blocking_session!`](crate::spawn_blocking_session) call.
///
/// Its bounds are what a session must meet. The macros make one at the place of their call; there is no use for it
/// without them.
///
/// ```
/// # use tokio::task::JoinHandle;
/// # async fn example() -> Result<(), tokio::task::JoinError> {
/// // What `Session::spawn` requires of a future, and what it returns.
/// let session: JoinHandle<u32> = canstop::spawn_session!(async { 42 });
/// assert_eq!(session.await?, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Session(&'static Site);

impl Session {
    /// A session of this site.
    #[doc(hidden)]
    #[must_use]
    pub const fn at(site: &'static Site) -> Self {
        Self(site)
    }

    /// Spawns a session: what [`spawn_session!`](crate::spawn_session) calls, and so the bounds that a
    /// session's future must meet, which are those of `tokio::spawn`.
    ///
    /// The macro passes the function that finds the observer for the type of the output.
    ///
    /// # Panics
    ///
    /// Outside a supervisor.
    #[track_caller]
    #[inline]
    pub fn spawn<F, O>(self, future: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        O: OutputObserver<F::Output> + Send + 'static,
    {
        let observer = observer(&future);
        if size_of::<F>() > BOX_ABOVE {
            spawn_session(self.0, Box::pin(future), observer)
        } else {
            spawn_session(self.0, future, observer)
        }
    }

    /// Spawns a session in a span that has its fields.
    ///
    /// # Panics
    ///
    /// Outside a supervisor.
    #[track_caller]
    #[inline]
    pub fn spawn_in<F, O>(self, span: Span, future: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        O: OutputObserver<F::Output> + Send + 'static,
    {
        let observer = observer(&future);
        if size_of::<F>() > BOX_ABOVE {
            spawn_session(self.0, Box::pin(future).instrument(span), observer)
        } else {
            spawn_session(self.0, future.instrument(span), observer)
        }
    }

    /// Spawns a session that is reported by its label, in a span that has its fields.
    ///
    /// # Panics
    ///
    /// Outside a supervisor.
    #[doc(hidden)]
    #[track_caller]
    pub fn spawn_labelled<F, O>(
        self,
        label: &dyn Display,
        span: Span,
        future: F,
        observer: impl FnOnce(&F) -> O,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        O: OutputObserver<F::Output> + Send + 'static,
    {
        let observer = observer(&future);
        let label = Label::enter(self.0, expect_scope("`spawn_session!`"), label);
        self.spawn_in(span, WithLabel { work: future, label }, |_| observer)
    }

    /// Runs a closure as a session that is reported by its label, in a span that has its fields.
    ///
    /// # Panics
    ///
    /// Outside a supervisor.
    #[doc(hidden)]
    #[track_caller]
    pub fn spawn_blocking_labelled<F, T, O>(
        self,
        label: &dyn Display,
        span: Span,
        closure: F,
        observer: impl FnOnce(&F) -> O,
    ) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        O: OutputObserver<T> + Send + 'static,
    {
        let observer = observer(&closure);
        let label = Label::enter(self.0, expect_scope("`spawn_blocking_session!`"), label);
        let labelled = WithLabel { work: closure, label };
        self.spawn_blocking_in(span, move || labelled.run(), |_| observer)
    }

    /// Runs a closure on the blocking pool as a session: what
    /// [`spawn_blocking_session!`](crate::spawn_blocking_session) calls, and so the bounds that its
    /// closure must meet, which are those of `tokio::task::spawn_blocking`.
    ///
    /// # Panics
    ///
    /// Outside a supervisor.
    #[track_caller]
    #[inline]
    pub fn spawn_blocking<F, T, O>(self, closure: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        O: OutputObserver<T> + Send + 'static,
    {
        let observer = observer(&closure);
        if size_of::<F>() > BOX_ABOVE {
            spawn_blocking_session(self.0, Box::new(closure), observer)
        } else {
            spawn_blocking_session(self.0, closure, observer)
        }
    }

    /// Runs a closure as a session in a span that has its fields.
    ///
    /// # Panics
    ///
    /// Outside a supervisor.
    #[track_caller]
    #[inline]
    pub fn spawn_blocking_in<F, T, O>(self, span: Span, closure: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        O: OutputObserver<T> + Send + 'static,
    {
        let observer = observer(&closure);
        if size_of::<F>() > BOX_ABOVE {
            let closure = Box::new(closure);
            spawn_blocking_session(self.0, move || span.in_scope(closure), observer)
        } else {
            spawn_blocking_session(self.0, move || span.in_scope(closure), observer)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use tokio::runtime::Builder;

    use super::super::output::NotAResult;
    use super::super::tests::{SITE, service};
    use super::*;

    /// Large, and alive across an await.
    async fn large() -> u8 {
        let held = black_box([1_u8; 350 * 1_024]);
        tokio::task::yield_now().await;
        held[black_box(7)]
    }

    /// Spawns on a thread with two megabytes of stack, as a test's and a worker's have.
    fn spawns<T: Send + 'static>(spawn: impl FnOnce() -> JoinHandle<T>) -> T {
        let runtime = Builder::new_current_thread().build().unwrap();
        let _runtime = runtime.enter();
        let _scope = service().enter();
        let spawned = spawn();
        runtime.block_on(spawned).unwrap()
    }

    #[test]
    fn a_large_future_fits_on_the_stack() {
        assert_eq!(spawns(|| Session::at(&SITE).spawn(large(), |_| NotAResult)), 1);
    }

    #[test]
    fn a_large_future_with_a_span_fits_on_the_stack() {
        assert_eq!(spawns(|| Session::at(&SITE).spawn_in(Span::none(), large(), |_| NotAResult)), 1);
    }

    #[test]
    fn a_large_closure_fits_on_the_stack() {
        fn closure() -> impl FnOnce() -> u8 + Send {
            let held = black_box([1_u8; 350 * 1_024]);
            move || held[black_box(7)]
        }
        assert_eq!(spawns(|| Session::at(&SITE).spawn_blocking(closure(), |_| NotAResult)), 1);
    }
}

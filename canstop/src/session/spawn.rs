//! Spawning from a site: what the macros call, and where the compiler says what a session must be.
//!
//! The bounds stand on methods of a public type, and the user's expression is an argument by itself:
//! so a note that says who asks for `Send` names something that can be looked up, and points at what
//! was written.

use std::fmt::Display;

use tokio::task::JoinHandle;
use tracing::Span;
use tracing::instrument::Instrument;

use super::blocking::spawn_blocking_session;
use super::label::{Label, WithLabel};
use super::output::OutputObserver;
use super::scope::expect_scope;
use super::site::Site;
use super::tracked::spawn_session;

/// What is larger is boxed before it is moved any further, as `tokio::spawn` does, whose thresholds these
/// are: without optimisation each move is a copy on the stack.
const BOX_ABOVE: usize = if cfg!(debug_assertions) { 2_048 } else { 16_384 };

/// What [`spawn_session!`](crate::spawn_session) and
/// [`spawn_blocking_session!`](crate::spawn_blocking_session) call.
///
/// It says what a session must be; there is no use for it without the macros, which make one where
/// they stand.
///
/// ```
/// # use tokio::task::JoinHandle;
/// # async fn example() -> Result<(), tokio::task::JoinError> {
/// // What `Session::spawn` asks of a future, and what it gives.
/// let session: JoinHandle<u32> = canstop::spawn_session!(async { 42 });
/// assert_eq!(session.await?, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Session(&'static Site);

impl Session {
    /// A session that is spawned from there.
    #[doc(hidden)]
    #[must_use]
    pub const fn at(site: &'static Site) -> Self {
        Self(site)
    }

    /// Spawns a session: what [`spawn_session!`](crate::spawn_session) calls, and so the bounds that a
    /// session's future must meet, which are those of `tokio::spawn`.
    ///
    /// The macro brings the function that finds out how the output tells an error.
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

    /// Spawns a session that reports name by its label, in a span that has its fields.
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

    /// Runs a closure as a session that reports name by its label, in a span that has its fields.
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

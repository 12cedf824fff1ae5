//! Sessions of a lifecycle, spawned from any thread.

use std::fmt::Display;

use tokio::task::JoinHandle;
use tracing::Span;

use super::handle::Lifecycle;
use crate::session::{OutputObserver, Session};

/// A session that belongs to a lifecycle, whatever thread spawns it, and runs on the program's runtime.
#[derive(Clone, Copy, Debug)]
pub struct SessionWithin<'a> {
    session: Session,
    lifecycle: &'a Lifecycle,
}

impl Session {
    /// Makes it belong to this lifecycle.
    #[doc(hidden)]
    #[must_use]
    pub const fn within(self, lifecycle: &Lifecycle) -> SessionWithin<'_> {
        SessionWithin { session: self, lifecycle }
    }
}

impl SessionWithin<'_> {
    /// As [`Session::spawn`].
    ///
    /// # Panics
    ///
    /// If the program's runtime is gone.
    #[track_caller]
    pub fn spawn<F, O>(self, future: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        O: OutputObserver<F::Output> + Send + 'static,
    {
        let _lifecycle = self.lifecycle.enter();
        self.session.spawn(future, observer)
    }

    /// As [`Session::spawn_in`].
    ///
    /// # Panics
    ///
    /// If the program's runtime is gone.
    #[track_caller]
    pub fn spawn_in<F, O>(self, span: Span, future: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        O: OutputObserver<F::Output> + Send + 'static,
    {
        let _lifecycle = self.lifecycle.enter();
        self.session.spawn_in(span, future, observer)
    }

    /// As [`Session::spawn_blocking`].
    ///
    /// # Panics
    ///
    /// If the program's runtime is gone.
    #[track_caller]
    pub fn spawn_blocking<F, T, O>(self, closure: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        O: OutputObserver<T> + Send + 'static,
    {
        let _lifecycle = self.lifecycle.enter();
        self.session.spawn_blocking(closure, observer)
    }

    /// As [`Session::spawn_blocking_in`].
    ///
    /// # Panics
    ///
    /// If the program's runtime is gone.
    #[track_caller]
    pub fn spawn_blocking_in<F, T, O>(self, span: Span, closure: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        O: OutputObserver<T> + Send + 'static,
    {
        let _lifecycle = self.lifecycle.enter();
        self.session.spawn_blocking_in(span, closure, observer)
    }

    /// As [`Session::spawn_labelled`].
    ///
    /// # Panics
    ///
    /// If the program's runtime is gone.
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
        let _lifecycle = self.lifecycle.enter();
        self.session.spawn_labelled(label, span, future, observer)
    }

    /// As [`Session::spawn_blocking_labelled`].
    ///
    /// # Panics
    ///
    /// If the program's runtime is gone.
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
        let _lifecycle = self.lifecycle.enter();
        self.session.spawn_blocking_labelled(label, span, closure, observer)
    }
}

//! Sessions that are spawned in another scope than the current one, or that are plain tasks where there is none.

use std::fmt::Display;

use tokio::task::{self, JoinHandle};
use tracing::Span;
use tracing::instrument::Instrument;

use super::current::current_scope;
use super::output::OutputObserver;
use super::spawn::Session;

/// Where a session is spawned, if that is not the current scope, or may be none.
pub trait Place {
    /// While it exists, the current scope is that of the place.
    type Entered;

    /// Enters the place; `None` if there is no supervisor, where a plain task is spawned.
    fn enter(&self) -> Option<Self::Entered>;
}

/// The current scope, or none.
#[derive(Clone, Copy, Debug)]
pub struct OrTask;

impl Place for OrTask {
    type Entered = ();

    fn enter(&self) -> Option<()> {
        current_scope().map(|_| ())
    }
}

impl Session {
    /// Makes it a plain task where there is no supervisor.
    #[doc(hidden)]
    #[must_use]
    pub const fn or_task(self) -> PlacedSession<OrTask> {
        self.placed(OrTask)
    }

    /// A session that is spawned in this place.
    pub(crate) const fn placed<P>(self, place: P) -> PlacedSession<P> {
        PlacedSession { session: self, place }
    }
}

/// A [`Session`] and its [`Place`]: the same entry points, and what they do where there is no supervisor.
#[derive(Clone, Copy, Debug)]
pub struct PlacedSession<P> {
    session: Session,
    place: P,
}

impl<P: Place> PlacedSession<P> {
    /// As [`Session::spawn`].
    ///
    /// # Panics
    ///
    /// If there is no runtime.
    #[track_caller]
    pub fn spawn<F, O>(self, future: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        O: OutputObserver<F::Output> + Send + 'static,
    {
        match self.place.enter() {
            Some(_entered) => self.session.spawn(future, observer),
            None => task::spawn(future),
        }
    }

    /// As [`Session::spawn_in`].
    ///
    /// # Panics
    ///
    /// If there is no runtime.
    #[track_caller]
    pub fn spawn_in<F, O>(self, span: Span, future: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        O: OutputObserver<F::Output> + Send + 'static,
    {
        match self.place.enter() {
            Some(_entered) => self.session.spawn_in(span, future, observer),
            None => task::spawn(future.instrument(span)),
        }
    }

    /// As [`Session::spawn_labelled`].
    ///
    /// # Panics
    ///
    /// If there is no runtime.
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
        match self.place.enter() {
            Some(_entered) => self.session.spawn_labelled(label, span, future, observer),
            None => task::spawn(future.instrument(span)),
        }
    }

    /// As [`Session::spawn_blocking`].
    ///
    /// # Panics
    ///
    /// If there is no runtime.
    #[track_caller]
    pub fn spawn_blocking<F, T, O>(self, closure: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        O: OutputObserver<T> + Send + 'static,
    {
        match self.place.enter() {
            Some(_entered) => self.session.spawn_blocking(closure, observer),
            None => task::spawn_blocking(closure),
        }
    }

    /// As [`Session::spawn_blocking_in`].
    ///
    /// # Panics
    ///
    /// If there is no runtime.
    #[track_caller]
    pub fn spawn_blocking_in<F, T, O>(self, span: Span, closure: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        O: OutputObserver<T> + Send + 'static,
    {
        match self.place.enter() {
            Some(_entered) => self.session.spawn_blocking_in(span, closure, observer),
            None => task::spawn_blocking(move || span.in_scope(closure)),
        }
    }

    /// As [`Session::spawn_blocking_labelled`].
    ///
    /// # Panics
    ///
    /// If there is no runtime.
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
        match self.place.enter() {
            Some(_entered) => self.session.spawn_blocking_labelled(label, span, closure, observer),
            None => task::spawn_blocking(move || span.in_scope(closure)),
        }
    }
}

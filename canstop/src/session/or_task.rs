//! Sessions of code that also runs where there is no supervisor: there they are plain tasks.

use std::fmt::Display;

use tokio::task::{self, JoinHandle};
use tracing::Span;
use tracing::instrument::Instrument;

use super::output::OutputObserver;
use super::scope::current_scope;
use super::spawn::Session;

/// A session, or a plain task where there is no supervisor.
#[derive(Clone, Copy, Debug)]
pub struct SessionOrTask(Session);

impl Session {
    /// Makes it a plain task where there is no supervisor.
    #[doc(hidden)]
    #[must_use]
    pub const fn or_task(self) -> SessionOrTask {
        SessionOrTask(self)
    }
}

impl SessionOrTask {
    /// As [`Session::spawn`].
    ///
    /// # Panics
    ///
    /// Outside a supervisor and outside a runtime of tokio's.
    #[track_caller]
    pub fn spawn<F, O>(self, future: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        O: OutputObserver<F::Output> + Send + 'static,
    {
        match current_scope() {
            Some(_) => self.0.spawn(future, observer),
            None => task::spawn(future),
        }
    }

    /// As [`Session::spawn_in`].
    ///
    /// # Panics
    ///
    /// Outside a supervisor and outside a runtime of tokio's.
    #[track_caller]
    pub fn spawn_in<F, O>(self, span: Span, future: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        O: OutputObserver<F::Output> + Send + 'static,
    {
        match current_scope() {
            Some(_) => self.0.spawn_in(span, future, observer),
            None => task::spawn(future.instrument(span)),
        }
    }

    /// As [`Session::spawn_blocking`].
    ///
    /// # Panics
    ///
    /// Outside a supervisor and outside a runtime of tokio's.
    #[track_caller]
    pub fn spawn_blocking<F, T, O>(self, closure: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        O: OutputObserver<T> + Send + 'static,
    {
        match current_scope() {
            Some(_) => self.0.spawn_blocking(closure, observer),
            None => task::spawn_blocking(closure),
        }
    }

    /// As [`Session::spawn_blocking_in`].
    ///
    /// # Panics
    ///
    /// Outside a supervisor and outside a runtime of tokio's.
    #[track_caller]
    pub fn spawn_blocking_in<F, T, O>(self, span: Span, closure: F, observer: impl FnOnce(&F) -> O) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        O: OutputObserver<T> + Send + 'static,
    {
        match current_scope() {
            Some(_) => self.0.spawn_blocking_in(span, closure, observer),
            None => task::spawn_blocking(move || span.in_scope(closure)),
        }
    }

    /// As [`Session::spawn_labelled`].
    ///
    /// # Panics
    ///
    /// Outside a supervisor and outside a runtime of tokio's.
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
        match current_scope() {
            Some(_) => self.0.spawn_labelled(label, span, future, observer),
            None => task::spawn(future.instrument(span)),
        }
    }

    /// As [`Session::spawn_blocking_labelled`].
    ///
    /// # Panics
    ///
    /// Outside a supervisor and outside a runtime of tokio's.
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
        match current_scope() {
            Some(_) => self.0.spawn_blocking_labelled(label, span, closure, observer),
            None => task::spawn_blocking(move || span.in_scope(closure)),
        }
    }
}

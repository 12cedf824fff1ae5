//! Errors as values, for the program's own code, before they become text.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::failure::catch;
use crate::machine::Location;

/// An error that a service or a session has returned. [`inspect_errors`](crate::inspect_errors) has an example.
pub struct ReturnedError<'a> {
    error: &'a dyn Any,
    service: Option<String>,
    session: Option<Location>,
}

impl<'a> ReturnedError<'a> {
    pub(super) fn new(error: &'a dyn Any, service: Option<String>, session: Option<Location>) -> Self {
        Self { error, service, session }
    }

    /// The error, if it is of this type: the one in the signature of the service or session.
    ///
    /// A boxed error is a `Box<dyn Error + Send + Sync>` here, and one of `anyhow` an `anyhow::Error`. Both have a
    /// `downcast_ref` of their own for what they hold.
    #[must_use]
    pub fn downcast_ref<E: 'static>(&self) -> Option<&'a E> {
        self.error.downcast_ref()
    }

    /// The service that has failed, or the one that owns the session. `None` if no service does.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// Where the session that has failed was spawned. `None` if it is a service that has failed.
    #[must_use]
    pub fn session(&self) -> Option<Location> {
        self.session
    }
}

impl fmt::Debug for ReturnedError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReturnedError")
            .field("service", &self.service)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

type Inspector = Arc<dyn Fn(&ReturnedError<'_>) + Send + Sync>;

/// The callbacks of `canstop::inspect_errors`.
#[derive(Default)]
pub(super) struct Inspectors(RwLock<Vec<Inspector>>);

impl Inspectors {
    pub(super) fn push(&self, inspector: Inspector) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(inspector);
    }

    pub(super) fn inspect(&self, error: &ReturnedError<'_>) -> Inspected {
        // A callback may add another one.
        let inspectors = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let panics = inspectors.iter().filter_map(|inspector| catch(|| inspector(error)).err());
        Inspected { panics: panics.collect() }
    }
}

impl fmt::Debug for Inspectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspectors").finish_non_exhaustive()
    }
}

/// What came of the callbacks.
#[derive(Debug, Default)]
#[must_use = "a panic of a callback belongs into the error's text"]
pub(crate) struct Inspected {
    panics: Vec<String>,
}

impl Inspected {
    /// Adds what went wrong to the error's text.
    pub(crate) fn append_to(self, mut text: String) -> String {
        for panic in self.panics {
            text.push_str(" (and a callback of `canstop::inspect_errors` panicked: ");
            text.push_str(&panic);
            text.push(')');
        }
        text
    }
}

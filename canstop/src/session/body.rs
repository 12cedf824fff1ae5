//! The body of a service or of `main`: polled under its own name, as sessions are.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::counter::{Counter, Kind};
use super::panics::panic_text;
use super::scope::Scope;
use super::site::Site;
use super::standing::Mark;
use super::thread::{Polling, this_thread};
use crate::machine::{Ending, Owner};

/// What a body is called while a thread runs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyName(pub(super) &'static Counter);

impl BodyName {
    /// Names the body of this scope. Made once per scope, and never freed.
    pub(super) fn new(scope: &'static Scope) -> Self {
        let kind = match scope.owner {
            Owner::Edge => Kind::Main,
            Owner::Service(_) | Owner::Group(_) => Kind::Service,
        };
        let site = Site::new(None, scope.place.file, scope.place.line, "", || "", None);
        Self(Counter::leak(Box::leak(Box::new(site)), scope, kind, None))
    }

    /// Runs a closure as this body, on the thread it is called on, and catches its panic.
    ///
    /// # Errors
    ///
    /// The panic.
    pub(crate) fn run<T>(self, body: impl FnOnce() -> T) -> Result<T, Ending> {
        let _polling = Polling::begin(this_thread(), self.0, Mark::BODY, std::ptr::null());
        catch_unwind(AssertUnwindSafe(body)).map_err(|payload| Ending::Panicked(panic_text(&*payload)))
    }
}

pin_project! {
    /// A body that is polled under its name. It ends with an error when it panics.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub(crate) struct Body<F> {
        #[pin]
        future: F,
        name: BodyName,
    }
}

impl<F> Body<F> {
    pub(crate) fn new(name: BodyName, future: F) -> Self {
        Self { future, name }
    }
}

impl<F: Future> Future for Body<F> {
    type Output = Result<F::Output, Ending>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let body = self.project();
        match body.name.run(|| body.future.poll(cx)) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

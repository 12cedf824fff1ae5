//! The body of a service or of `main`: polled under its own name, as sessions are.

use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use super::counter::{Counter, Kind};
use super::scope::Scope;
use super::session_state::Mark;
use super::site::Site;
use super::thread::{Polling, this_thread};
use crate::failure::catch;
use crate::machine::{ExitReason, Owner};

/// What a body is called while a thread runs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyName(pub(super) &'static Counter);

impl BodyName {
    /// Names the body of this scope. Made once per scope, and never freed.
    pub(super) fn new(scope: &'static Scope) -> Self {
        let kind = match scope.owner {
            Owner::Root => Kind::Main,
            Owner::Service(_) | Owner::Group(_) => Kind::Service,
        };
        let site = Site::new(None, scope.location.file, scope.location.line, "", || "", None);
        Self(Counter::leak(Box::leak(Box::new(site)), scope, kind, None))
    }

    /// Runs a closure as this body, on the thread it is called on, and catches its panic.
    ///
    /// # Errors
    ///
    /// The panic.
    pub(crate) fn run<T>(self, body: impl FnOnce() -> T) -> Result<T, ExitReason> {
        self.run_by(ptr::null(), body)
    }

    /// `waker` is that of the body's task, if the scope knows it.
    fn run_by<T>(self, waker: *const Waker, body: impl FnOnce() -> T) -> Result<T, ExitReason> {
        let _polling = Polling::begin(this_thread(), self.0, Mark::BODY, waker);
        catch(body).map_err(ExitReason::Panicked)
    }
}

/// While it lives, the body's task is woken when its life is told to stop.
#[derive(Debug)]
struct Listening {
    scope: &'static Scope,
    waker: Waker,
}

impl Listening {
    fn new(scope: &'static Scope, waker: &Waker) -> Self {
        scope.listen(waker.clone());
        Self { scope, waker: waker.clone() }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.scope.listen_no_longer(&self.waker);
    }
}

pin_project! {
    /// A body that is polled under its name. It ends with an error when it panics.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub(crate) struct Body<F> {
        // None once it has returned: its destructor runs as the body, too.
        #[pin]
        future: Option<F>,
        name: BodyName,
        listening: Option<Listening>,
    }

    impl<F> PinnedDrop for Body<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                let _polling = Polling::begin(this_thread(), this.name.0, Mark::BODY, ptr::null());
                this.future.set(None);
            }
        }
    }
}

impl<F> Body<F> {
    pub(crate) fn new(name: BodyName, future: F) -> Self {
        Self { future: Some(future), name, listening: None }
    }
}

impl<F: Future> Future for Body<F> {
    type Output = Result<F::Output, ExitReason>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut body = self.project();
        let waker = cx.waker();
        if !body.listening.as_ref().is_some_and(|listening| listening.waker.will_wake(waker)) {
            // The old one first: it would take the new one's place away.
            *body.listening = None;
            *body.listening = Some(Listening::new(body.name.0.scope, waker));
        }
        let future = &mut body.future;
        let poll = || {
            let running = future.as_mut().as_pin_mut().expect("a body is not polled after it has returned");
            let poll = running.poll(cx);
            if poll.is_ready() {
                future.set(None);
            }
            poll
        };
        match body.name.run_by(waker, poll) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

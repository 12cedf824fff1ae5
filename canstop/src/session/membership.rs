//! What a session carries: where it was counted, when it was born, and its place in the table.

use std::mem::ManuallyDrop;
use std::ptr;
use std::task::Waker;
use std::thread::panicking;

use super::counter::{Counter, Kind};
use super::origin::Origin;
use super::scope::Scope;
use super::session_state::{SessionState, Stage};
use super::site::Site;
use super::supervisor::SessionFailure;
use super::thread::{self, Polling, Thread};
use super::waiting;
use crate::failure::current_panic;
use crate::machine::{ExitReason, Owner};

/// A session's membership in its scope: eight bytes beside the future. Made when it is spawned, and
/// [ended](Self::end) after the future is dropped.
///
/// Packed, so that the future may use what alignment would waste.
#[repr(C, packed(4))]
pub(super) struct Membership {
    snapshot: SessionState,
}

impl Membership {
    #[inline]
    pub(super) fn begin(site: &'static Site, scope: &'static Scope, kind: Kind) -> Self {
        let counter = thread::counter(site, scope, kind);
        counter.tally.count_start();
        Self { snapshot: SessionState::fresh(Origin::new(counter, scope.supervisor.now())) }
    }

    #[inline]
    fn counter(&self) -> &'static Counter {
        match self.snapshot.get() {
            Stage::Fresh(origin) => origin.counter(),
            Stage::Entered(slot) => waiting::counter(slot),
        }
    }

    /// Is it to be dropped?
    #[inline]
    pub(super) fn is_abandoned(&self, thread: &Thread) -> bool {
        thread.handshake.is_watched() && self.counter().scope.is_abandoned()
    }

    #[inline]
    pub(super) fn poll(&self, thread: &'static Thread, root_waker: *const Waker) -> Polling {
        Polling::begin(thread, self.counter(), self.snapshot.mark(), root_waker)
    }

    /// Enters the table of those that wait, if it is not there yet.
    #[inline]
    pub(super) fn wait(&mut self, waker: &Waker, thread: &Thread) {
        if let Stage::Fresh(origin) = self.snapshot.get() {
            self.snapshot = SessionState::entered(waiting::enter(waker, origin, thread));
            // What was said between the poll and now was said to nobody.
            if thread.handshake.may_have_been_missed() {
                look_again(origin.counter(), waker);
            }
        }
    }

    /// The session is abandoned, or cancelled, and dropped for it.
    #[cold]
    pub(super) fn give_up(&self) {
        self.counter().scope.count_if_cancelled();
    }

    /// Reports what the session returned or did, if that was a failure.
    #[cold]
    pub(super) fn report(&self, reason: ExitReason) {
        let Counter { site, home, .. } = self.counter();
        let owner = (home.owner != Owner::Root).then(|| home.name());
        home.supervisor.session_failed(SessionFailure { site, owner, reason });
    }

    /// The session has come to its end, on this thread.
    #[inline]
    pub(super) fn end(self, thread: &'static Thread) {
        ManuallyDrop::new(self).leave(thread);
    }

    // Into the end of a session, and into its rare drop.
    #[inline(always)]
    fn leave(&self, thread: &'static Thread) {
        let mut counter = self.counter();
        let is_watched = match self.snapshot.get() {
            Stage::Fresh(_) => thread.handshake.is_watched(),
            Stage::Entered(slot) => waiting::leave(slot, thread),
        };
        if !counter.thread.is_some_and(|own| ptr::eq(own, thread)) {
            counter = thread::counter(counter.site, counter.home, counter.kind);
        }
        counter.tally.count_finish();
        // Whoever has begun to watch since then counts again by itself.
        if is_watched {
            counter.home.supervisor.sessions_changed();
        }
    }
}

#[cold]
fn look_again(counter: &'static Counter, waker: &Waker) {
    let Counter { scope, home, .. } = counter;
    if home.is_stopping(home.run_id()) || scope.is_abandoned() {
        waker.wake_by_ref();
    }
}

/// The session is dropped before its end, or it panics.
impl Drop for Membership {
    #[inline(never)]
    fn drop(&mut self) {
        // Seen here and not caught: a panic passes through as it would without canstop. A blocking
        // destructor or one that panics is the session's own.
        if panicking() {
            self.report(ExitReason::Panicked(current_panic()));
        }
        thread::visit(|thread| self.leave(thread));
    }
}

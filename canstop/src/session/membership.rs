//! A session's membership in its scope: counted from its spawn to its end, and in the table while it waits.

use std::mem::ManuallyDrop;
use std::task::Waker;
use std::thread::panicking;

use super::message::SessionFailure;
use super::scope::{Counter, Kind, Scope};
use super::site::Site;
use super::slots::{SessionState, Stage};
use super::table;
use super::tagged::Tagged;
use super::thread::{self, Polling, Thread};
use crate::failure::current_panic;
use crate::machine::{ExitReason, Owner};

/// Eight bytes beside the future: made when the session is spawned, and [ended](Self::end) after the future is
/// dropped.
///
/// Packed, so that alignment wastes no space of the future's.
#[repr(C, packed(4))]
pub(super) struct Membership {
    state: SessionState,
}

impl Membership {
    #[inline]
    pub(super) fn begin(site: &'static Site, scope: &'static Scope, kind: Kind) -> Self {
        let counter = thread::counter(site, scope, kind);
        counter.tally.count_start();
        Self { state: SessionState::fresh(Tagged::new(counter, scope.hub.now())) }
    }

    #[inline]
    fn counter(&self) -> &'static Counter {
        match self.state.get() {
            Stage::Fresh(tagged) => tagged.get(),
            Stage::Entered(slot) => table::counter(slot),
        }
    }

    /// Returns true if the session must be dropped.
    #[inline]
    pub(super) fn is_abandoned(&self, thread: &Thread) -> bool {
        thread.handshake.is_watched() && self.counter().scope.is_abandoned()
    }

    #[inline]
    pub(super) fn poll(&self, thread: &'static Thread, root_waker: *const Waker) -> Polling {
        Polling::begin(thread, self.counter(), self.state.poll_tag(), root_waker)
    }

    /// Enters the table of waiting sessions, if it is not there yet.
    #[inline]
    pub(super) fn wait(&mut self, waker: &Waker, thread: &Thread) {
        if let Stage::Fresh(tagged) = self.state.get() {
            self.state = SessionState::entered(table::enter(waker, tagged, thread));
            // A stop requested since the poll may have found no entry to wake.
            if thread.handshake.may_have_been_missed() {
                wake_if_stopping(tagged.get(), waker);
            }
        }
    }

    /// Counts a session that is about to be dropped, if it is cancelled and not abandoned.
    #[cold]
    pub(super) fn count_if_cancelled(&self) {
        self.counter().scope.count_if_cancelled();
    }

    /// Reports the session as failed.
    #[cold]
    pub(super) fn report(&self, reason: ExitReason) {
        let Counter { site, home, .. } = self.counter();
        let owner = (home.owner != Owner::Root).then(|| home.name());
        home.hub.session_failed(SessionFailure { site, owner, reason });
    }

    /// Notes that its output may be dropped right after this poll, on this thread.
    #[cold]
    pub(super) fn drop_output_next(&self, thread: &'static Thread) {
        thread.drop_output_next(self.counter());
    }

    /// Ends it, on this thread.
    #[inline]
    pub(super) fn end(self, thread: &'static Thread) {
        ManuallyDrop::new(self).leave(thread);
    }

    // Inlined into `end`, and into `drop`, which is rare.
    #[inline(always)]
    fn leave(&self, thread: &'static Thread) {
        let mut counter = self.counter();
        let is_watched = match self.state.get() {
            Stage::Fresh(_) => thread.handshake.is_watched(),
            Stage::Entered(slot) => table::leave(slot, thread),
        };
        if !counter.is_written_by(thread.writer()) {
            counter = thread::counter(counter.site, counter.home, counter.kind);
        }
        counter.tally.count_finish();
        // A watcher that has begun since then counts by itself.
        if is_watched {
            counter.home.hub.sessions_changed();
        }
    }
}

#[cold]
fn wake_if_stopping(counter: &'static Counter, waker: &Waker) {
    let Counter { scope, home, .. } = counter;
    if home.is_stopping(home.run_id()) || scope.is_abandoned() {
        waker.wake_by_ref();
    }
}

/// Runs where the session is dropped before its end, or panics.
impl Drop for Membership {
    #[inline(never)]
    fn drop(&mut self) {
        // The panic is observed here and not caught: it goes on as it would without canstop.
        if panicking() {
            self.report(ExitReason::Panicked(current_panic()));
        }
        thread::visit(|thread| self.leave(thread));
    }
}

//! What a session carries: where it was counted, when it was born, and its place in the table.

use std::task::Waker;
use std::thread::panicking;

use super::counter::{Counter, Kind};
use super::leaving::somebody_watches;
use super::panics;
use super::scope::Scope;
use super::site::Site;
use super::standing::{Standing, Stands};
use super::supervisor::SessionFailure;
use super::thread::{self, Mark, Polling};
use super::waiting;
use crate::machine::Ending;

/// A session's membership in its scope: sixteen bytes beside the future. Made when it is spawned and
/// dropped after the future is.
///
/// Packed, so that the future may use what alignment would waste.
#[repr(C, packed(4))]
pub(super) struct Membership {
    counter: &'static Counter,
    standing: Standing,
}

impl Membership {
    #[inline]
    pub(super) fn begin(site: &'static Site, scope: &'static Scope, kind: Kind) -> Self {
        let counter = thread::counter(site, scope, kind);
        counter.tally.count_start();
        Self { counter, standing: Standing::born(Mark::born(scope.supervisor.tick())) }
    }

    /// Is it to be dropped?
    #[inline]
    pub(super) fn is_abandoned(&self) -> bool {
        self.counter.scope.is_abandoned()
    }

    #[inline]
    pub(super) fn poll(&self, root_waker: *const ()) -> Polling {
        let mark = match self.standing.get() {
            Stands::Born(born) => born,
            Stands::Entered(_) => Mark::ENTERED,
        };
        Polling::begin(self.counter, mark, root_waker)
    }

    /// Enters the table of those that wait, if it is not there yet.
    #[inline]
    pub(super) fn wait(&mut self, waker: &Waker) {
        if let Stands::Born(born) = self.standing.get() {
            self.enter_table(waker, born);
        }
    }

    #[inline]
    fn enter_table(&mut self, waker: &Waker, born: Mark) {
        self.standing = Standing::entered(waiting::enter(waker, self.counter, born));
        // What was said between the poll and now was said to nobody.
        let home = self.counter.home;
        if home.is_told(home.generation()) || self.is_abandoned() {
            waker.wake_by_ref();
        }
    }

    /// Reports what the session returned or did, if that was a failure.
    #[cold]
    pub(super) fn report(&self, ending: Ending) {
        let Counter { site, home, .. } = self.counter;
        home.supervisor.session_failed(SessionFailure { site, scope: home, ending });
    }
}

impl Drop for Membership {
    #[inline]
    fn drop(&mut self) {
        if let Stands::Entered(slot) = self.standing.get() {
            waiting::leave(slot);
        }
        // Seen here and not caught: a panic passes through as it would without canstop. A blocking
        // destructor or one that panics is the session's own.
        if panicking() {
            self.report(Ending::Panicked(panics::last_panic()));
        }
        let Counter { site, home, kind, .. } = self.counter;
        thread::counter(site, home, *kind).tally.count_finish();
        if somebody_watches() {
            home.supervisor.sessions_changed();
        }
    }
}

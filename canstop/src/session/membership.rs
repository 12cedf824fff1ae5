//! What a session carries: where it was counted, when it was born, and its place in the table.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::thread::panicking;

use super::counter::{Counter, Kind};
use super::panics;
use super::scope::Scope;
use super::site::Site;
use super::supervisor::SessionFailure;
use super::thread::{self, Mark, Polling};
use super::waiting::{self, Place};
use crate::machine::Ending;

/// How many supervisors count sessions right now: a session that ends then says so.
static WATCHED: AtomicUsize = AtomicUsize::new(0);

/// Lets sessions that end say so.
pub(crate) fn watch_sessions() {
    WATCHED.fetch_add(1, Ordering::Relaxed);
}

/// Takes back one [`watch_sessions`].
pub(crate) fn stop_watching_sessions() {
    WATCHED.fetch_sub(1, Ordering::Relaxed);
}

/// Is anybody stopping? One relaxed load: whoever counts also looks again by itself every few
/// milliseconds.
#[inline]
pub(super) fn somebody_watches() -> bool {
    WATCHED.load(Ordering::Relaxed) != 0
}

/// A session's membership in its scope: twelve bytes beside the future. Made when it is spawned and
/// dropped after the future is.
///
/// Packed, so that the future may use what alignment would waste.
#[repr(C, packed(4))]
pub(super) struct Membership {
    counter: &'static Counter,
    /// The tick of its birth; once it has waited, the highest bit and its place in the table, which
    /// then keeps the birth.
    state: u32,
}

const ENTERED: u32 = 1 << 31;

impl Membership {
    #[inline]
    pub(super) fn begin(site: &'static Site, scope: &'static Scope, kind: Kind) -> Self {
        let counter = thread::counter(site, scope, kind);
        counter.count_start();
        Self { counter, state: Mark::born(scope.supervisor.tick()).to_bits() }
    }

    #[inline]
    fn is_entered(&self) -> bool {
        self.state & ENTERED != 0
    }

    /// Is it to be dropped?
    #[inline]
    pub(super) fn is_abandoned(&self) -> bool {
        self.counter.scope.is_abandoned()
    }

    #[inline]
    pub(super) fn poll(&self, root_waker: *const ()) -> Polling {
        let mark = if self.is_entered() { Mark::ENTERED } else { Mark::from_bits(self.state) };
        Polling::begin(self.counter, mark, root_waker)
    }

    /// Enters the table of those that wait, if it is not there yet.
    #[inline]
    pub(super) fn wait(&mut self, waker: &Waker) {
        if !self.is_entered() {
            self.enter_table(waker);
        }
    }

    fn enter_table(&mut self, waker: &Waker) {
        let born = Mark::from_bits(self.state);
        self.state = waiting::enter(waker.clone(), self.counter, born).to_bits() | ENTERED;
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
        if self.is_entered() {
            waiting::leave(Place::from_bits(self.state & !ENTERED));
        }
        // Seen here and not caught: a panic passes through as it would without canstop. A blocking
        // destructor or one that panics is the session's own.
        if panicking() {
            self.report(Ending::Panicked(panics::last_panic()));
        }
        let Counter { site, home, kind, .. } = self.counter;
        thread::counter(site, home, *kind).count_finish();
        if somebody_watches() {
            home.supervisor.sessions_changed();
        }
    }
}

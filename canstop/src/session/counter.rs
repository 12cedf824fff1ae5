//! Counters: one per thread, site and owner, so that counting a session shares no write.

use super::origin::Origin;
use super::scope::Scope;
use super::site::Site;
use super::tally::Tally;
use super::thread::Thread;

/// What is counted, or polled, under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Main,
    Service,
    Session,
    Blocking,
}

/// One thread's count of the sessions of one site that belong to one scope.
///
/// The tally has a cache line of its own, because a session that another thread has taken over reads the
/// rest while this thread counts. The alignment leaves bits for an [`Origin`].
///
/// Counters are never freed: what one counted must not be forgotten when its thread ends.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Counter {
    pub(crate) site: &'static Site,
    /// Where they are counted.
    pub(crate) scope: &'static Scope,
    /// Whose code they are.
    pub(super) home: &'static Scope,
    pub(crate) kind: Kind,
    /// Who counts. None for a body, which is only named.
    pub(super) thread: Option<&'static Thread>,
    pub(super) tally: Tally,
}

impl Counter {
    pub(super) fn leak(
        site: &'static Site,
        scope: &'static Scope,
        kind: Kind,
        thread: Option<&'static Thread>,
    ) -> &'static Self {
        let home = scope.home();
        let counter: &'static Self = Box::leak(Box::new(Self { site, scope, home, kind, thread, tally: Tally::new() }));
        assert!(Origin::can_hold(counter), "canstop uses the upper bits of addresses, and this system does, too");
        counter
    }
}

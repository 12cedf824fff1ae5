//! Counters: one per thread, site and owner, so that counting a session shares no write.

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

/// One thread's count of the sessions of one site that belong to one scope. Aligned to a cache line
/// so that no other thread's writes slow it down.
///
/// Counters are never freed: what one counted must not be forgotten when its thread ends.
#[derive(Debug)]
#[repr(align(64))]
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
        Box::leak(Box::new(Self { site, scope, home: scope.home(), kind, thread, tally: Tally::new() }))
    }
}

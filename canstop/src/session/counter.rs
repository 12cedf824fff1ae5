//! Counters: one per thread, site and owner, so that counting a session shares no write.

use std::sync::Mutex;

use super::scope::Scope;
use super::site::Site;
use super::tally::Tally;
use super::thread::poll_tag;

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
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Counter {
    pub(crate) site: &'static Site,
    /// Where they are counted.
    pub(crate) scope: &'static Scope,
    /// Whose code they are.
    pub(super) home: &'static Scope,
    pub(crate) kind: Kind,
    /// What others call it; never zero.
    pub(super) id: u32,
    /// What a thread's polling slot calls it.
    pub(super) poll_tag: u64,
    pub(super) tally: Tally,
}

/// A snapshot of all counters.
#[derive(Debug)]
pub(super) struct Counters(Vec<&'static Counter>);

impl Counters {
    /// The counter of this id, which is never zero.
    pub(super) fn by_id(&self, id: u32) -> Option<&'static Counter> {
        self.0.get((id as usize).checked_sub(1)?).copied()
    }
}

/// All counters, by their id less one.
static ALL: Mutex<Vec<&'static Counter>> = Mutex::new(Vec::new());

impl Counter {
    /// A new counter, which lives for ever: what it counted must not be forgotten when its thread
    /// ends.
    pub(super) fn leak(site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Self {
        let mut all = ALL.lock().expect("nothing panics while it holds the list of counters");
        let id = u32::try_from(all.len() + 1).expect("fewer than four billion sites, owners and threads");
        let counter: &'static Self = Box::leak(Box::new(Self {
            site,
            scope,
            home: scope.home(),
            kind,
            id,
            poll_tag: poll_tag(id),
            tally: Tally::new(),
        }));
        all.push(counter);
        counter
    }

    /// All counters there are now, for many look-ups.
    pub(super) fn all() -> Counters {
        Counters(ALL.lock().expect("nothing panics while it holds the list of counters").clone())
    }
}

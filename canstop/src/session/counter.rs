//! Counters: one per thread, site and owner, so that counting a session shares no write.

use std::sync::{Mutex, MutexGuard};

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
    /// What it is called where a reference is too long, in the upper half; never zero.
    pub(super) tag: u64,
    pub(super) tally: Tally,
}

/// All counters, by their tags less one.
static ALL: Mutex<Vec<&'static Counter>> = Mutex::new(Vec::new());

/// A snapshot of all counters.
#[derive(Debug)]
pub(super) struct Counters(Vec<&'static Counter>);

impl Counters {
    pub(super) fn new() -> Self {
        Self(lock_all().clone())
    }

    /// The counter of this tag, whatever the lower half says.
    pub(super) fn tagged(&self, tag: u64) -> Option<&'static Counter> {
        self.0.get(((tag >> 32) as usize).checked_sub(1)?).copied()
    }
}

fn lock_all() -> MutexGuard<'static, Vec<&'static Counter>> {
    ALL.lock().expect("nothing panics while it holds the list of counters")
}

impl Counter {
    pub(super) fn leak(
        site: &'static Site,
        scope: &'static Scope,
        kind: Kind,
        thread: Option<&'static Thread>,
    ) -> &'static Self {
        let mut all = lock_all();
        let number = u32::try_from(all.len() + 1).expect("fewer than four billion sites, owners and threads");
        let (home, tag) = (scope.home(), u64::from(number) << 32);
        let counter: &'static Self =
            Box::leak(Box::new(Self { site, scope, home, kind, thread, tag, tally: Tally::new() }));
        all.push(counter);
        counter
    }
}

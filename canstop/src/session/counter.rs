//! Counting sessions without a shared write.
//!
//! Each thread has a counter of its own per site and owner, and is its only writer: a plain load
//! and store, where a shared read-modify-write would cost tens of nanoseconds under contention.
//!
//! # Why the count is exact
//!
//! A session is counted as started by the thread that spawns it, before it can run, and as finished
//! by the thread that drops it. Both counts only grow. A reader first sums every `finished`, then
//! every `started`. Let *F* and *S* be those sums, and take any moment *t* between the two passes.
//! What had finished at *t* is at least *F*, what had started at *t* is at most *S*, and nothing
//! finishes that did not start: *F ≤ finished(t) ≤ started(t) ≤ S*. So *F = S* proves that at *t*
//! nothing was alive. Reading both counts of a site at once, site by site, proves nothing.
//!
//! # Orderings
//!
//! `finished` is stored with release and loaded with acquire: whoever sees that a session finished
//! also sees that it started, and that every session it spawned started, on whatever thread. The
//! spawn happens before the end of a session through the runtime's hand-over of the task. `started`
//! may then be relaxed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::scope::Scope;
use super::site::Site;
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
    started: AtomicU64,
    finished: AtomicU64,
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
            started: AtomicU64::new(0),
            finished: AtomicU64::new(0),
        }));
        all.push(counter);
        counter
    }

    /// All counters there are now, for many look-ups.
    pub(super) fn all() -> Counters {
        Counters(ALL.lock().expect("nothing panics while it holds the list of counters").clone())
    }

    /// Only the thread that owns this counter may call it.
    #[inline]
    pub(super) fn count_start(&self) {
        self.started.store(self.started.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Only the thread that owns this counter may call it.
    #[inline]
    pub(super) fn count_finish(&self) {
        self.finished.store(self.finished.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    pub(super) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Acquire)
    }

    pub(super) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }
}

//! One thread's count of sessions, and why sums of such counts are exact.
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
//! `finished` is stored with release and loaded with acquire: a reader that counts a session as finished also
//! counts it as started, and every session that it has spawned, on whatever thread. The spawn of a session
//! happens before its end, because the runtime passes the task from one thread to the other. So `started` may be
//! relaxed.

use super::atomics::{AtomicU64, Ordering};

/// How many sessions one thread has started and finished. That thread is its only writer: a plain
/// load and store, where a shared read-modify-write would cost tens of nanoseconds under contention.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Tally {
    started: AtomicU64,
    finished: AtomicU64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { started: AtomicU64::new(0), finished: AtomicU64::new(0) }
    }

    /// Only the thread that owns this tally may call it.
    #[inline]
    pub(super) fn count_start(&self) {
        self.started.store(self.started.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Only the thread that owns this tally may call it.
    #[inline]
    pub(super) fn count_finish(&self) {
        self.finished.store(self.finished.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// For the first pass.
    pub(super) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Acquire)
    }

    /// For the second pass.
    pub(super) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }
}

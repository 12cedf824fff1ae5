//! How two sides that rarely meet agree that they do not overlap, at the cost of one.
//!
//! One thing must not happen: a thread reads that it is not watched, and clears a slot, while the watcher already
//! relies on slots not being cleared. A thread that clears first stores `clearing = true`, then reads whether it
//! is watched, then clears, then stores `clearing = false`. A watcher first stores `watched = true` for every
//! thread, then waits for every thread until it has once not been clearing.
//!
//! Each side writes one word and then reads the other's, and at least one of them must read the other's write:
//! either the thread reads that it is watched, and clears under a lock, or the watcher reads that it is clearing,
//! and waits. That needs a full barrier between write and read on both sides. The watcher brings it for all
//! threads, so that the clearing side only keeps the compiler from reordering.
//!
//! Between `clearing = true` and `clearing = false` there are a load and a store, and no user code: to wait for
//! that is to wait for the scheduler.

use super::atomics::{AtomicBool, Ordering, fence, light_barrier, yield_now};

/// A thread's part of the handshake. Only the thread itself calls the methods that take `self`.
#[derive(Debug)]
pub(super) struct Handshake {
    watched: AtomicBool,
    clearing: AtomicBool,
}

impl Handshake {
    pub(super) fn new(watched: bool) -> Self {
        Self { watched: AtomicBool::new(watched), clearing: AtomicBool::new(false) }
    }

    /// Returns true if its sessions are watched. One relaxed load of the thread's own.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Clears by `plainly`, or by `carefully` if it is watched. Returns whether it is.
    #[inline]
    pub(super) fn clear(&self, plainly: impl FnOnce(), carefully: impl FnOnce()) -> bool {
        self.clearing.store(true, Ordering::Relaxed);
        light_barrier();
        // Acquire: the task may be freed next, and the last watcher's accesses must come before that.
        let is_watched = self.watched.load(Ordering::Acquire);
        if is_watched {
            // Relaxed: nothing has been cleared yet.
            self.clearing.store(false, Ordering::Relaxed);
            carefully();
        } else {
            plainly();
            self.clearing.store(false, Ordering::Release);
        }
        is_watched
    }

    /// Returns true if a watcher may have scanned before the caller's last store was visible. What the watcher
    /// stored [before its scan](Self::order_before_scan) is then visible here.
    #[inline]
    pub(super) fn may_have_been_missed(&self) -> bool {
        light_barrier();
        let is_watched = self.is_watched();
        if is_watched {
            // The watcher's barrier for all threads came before its stores. For these each side has its own.
            fence(Ordering::SeqCst);
        }
        is_watched
    }

    /// Begins to watch. `barrier` is a full barrier for every thread. When this returns, every thread clears by
    /// `carefully`.
    pub(super) fn watch_all<'a>(all: impl Iterator<Item = &'a Self> + Clone, barrier: impl FnOnce()) {
        for thread in all.clone() {
            // Relaxed: the barrier brings it to every thread.
            thread.watched.store(true, Ordering::Relaxed);
        }
        barrier();
        for thread in all {
            // Acquire, with the release of `false`: what it cleared is visible then.
            while thread.clearing.load(Ordering::Acquire) {
                yield_now();
            }
        }
    }

    /// Release: a thread that reads that it is not watched has all accesses of the watcher before it.
    pub(super) fn unwatch_all<'a>(all: impl Iterator<Item = &'a Self>) {
        for thread in all {
            thread.watched.store(false, Ordering::Release);
        }
    }

    /// Orders a watcher's earlier stores, such as stop flags, before its following scan.
    pub(super) fn order_before_scan() {
        fence(Ordering::SeqCst);
    }
}

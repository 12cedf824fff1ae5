//! How two sides that rarely meet agree that they do not overlap, at the cost of one.
//!
//! What must be excluded is a thread that looked, saw nobody watching, and clears a slot while the
//! watcher already trusts that it would not. A thread that clears first says so (`clearing = true`),
//! then looks whether anybody watches, then clears, then takes the word back. Whoever begins to watch
//! first says so (`watchers += 1`), then looks at every thread until it has once not been clearing.
//!
//! Each side writes one word and then reads the other's, and at least one of them must see the
//! other's write: either the thread sees that it is watched, and takes the careful way, or it is seen
//! clearing, and waited for. That needs a full barrier between write and read on both sides. Where the
//! watcher can bring the barrier for all threads, the clearing side has to keep the compiler from
//! reordering, and nothing else.
//!
//! Between `clearing = true` and `clearing = false` stand a load and a store, and no user code:
//! waiting for them is waiting for the scheduler.

use super::atomics::{AtomicBool, AtomicUsize, Ordering, fence, light_barrier, yield_now};

/// How many watch.
#[derive(Debug)]
pub(super) struct Watchers(pub(super) AtomicUsize);

/// A thread's word that it clears something.
#[derive(Debug)]
pub(super) struct Clearing(AtomicBool);

impl Watchers {
    /// Does anybody watch? One relaxed load.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Begins to watch. `barrier` is a full barrier for every thread. When this returns, no thread
    /// clears but in the careful way.
    pub(super) fn begin<'a>(&self, barrier: impl FnOnce(), threads: impl FnOnce() -> Vec<&'a Clearing>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        barrier();
        for Clearing(clearing) in threads() {
            // Acquire, with the release of the word that is taken back: all is cleared by then.
            while clearing.load(Ordering::Acquire) {
                yield_now();
            }
        }
    }

    /// After something was stored: may somebody who has begun to watch, and looked, not have seen it? Then
    /// what he [said](Self::say_before_looking) before he looked is seen now.
    #[inline]
    pub(super) fn may_have_missed(&self) -> bool {
        light_barrier();
        self.any() && {
            fence(Ordering::SeqCst);
            true
        }
    }

    /// Between what a watcher says and its look at what is there.
    pub(super) fn say_before_looking(&self) {
        fence(Ordering::SeqCst);
    }

    /// Watches as well, where somebody already does.
    pub(super) fn one_more(&self) {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        debug_assert!(before > 0, "whoever is the first has to wait for those that clear");
    }

    /// Release: whoever sees that nobody watches any more sees all that was done meanwhile.
    pub(super) fn end(&self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Clearing {
    pub(super) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Clears by `plainly` if nobody watches, else by `carefully`.
    #[inline]
    pub(super) fn clear(&self, watchers: &Watchers, plainly: impl FnOnce(), carefully: impl FnOnce()) {
        let Self(clearing) = self;
        clearing.store(true, Ordering::Relaxed);
        light_barrier();
        // Acquire: what is cleared may be freed next, and the last watcher must be done with it.
        if watchers.0.load(Ordering::Acquire) != 0 {
            clearing.store(false, Ordering::Release);
            carefully();
        } else {
            plainly();
            clearing.store(false, Ordering::Release);
        }
    }
}

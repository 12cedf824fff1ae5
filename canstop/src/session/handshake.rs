//! How two sides that rarely meet agree that they do not overlap, at the cost of one.
//!
//! What must be excluded is a thread that looked, saw that it is not watched, and clears a slot while
//! the watcher already trusts that it would not. A thread that clears first says so
//! (`clearing = true`), then looks whether it is watched, then clears, then takes the word back.
//! Whoever begins to watch first says so (`watched = true`, to every thread), then looks at every
//! thread until it has once not been clearing.
//!
//! Each side writes one word and then reads the other's, and at least one of them must see the
//! other's write: either the thread sees that it is watched, and takes the careful way, or it is seen
//! clearing, and waited for. That needs a full barrier between write and read on both sides. The
//! watcher brings it for all threads, so that the clearing side has to keep the compiler from
//! reordering, and nothing else.
//!
//! Between `clearing = true` and `clearing = false` stand a load and a store, and no user code:
//! waiting for them is waiting for the scheduler.

use super::atomics::{AtomicBool, Ordering, fence, light_barrier, yield_now};

/// A thread's part of the handshake. Only the thread itself calls what takes `self`.
#[derive(Debug)]
pub(super) struct Handshake {
    watched: AtomicBool,
    clearing: AtomicBool,
}

impl Handshake {
    pub(super) fn new(watched: bool) -> Self {
        Self { watched: AtomicBool::new(watched), clearing: AtomicBool::new(false) }
    }

    /// Does somebody watch? One relaxed load of the thread's own.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Clears by `plainly` if nobody watches, else by `carefully`. Says whether somebody does.
    #[inline]
    pub(super) fn clear(&self, plainly: impl FnOnce(), carefully: impl FnOnce()) -> bool {
        self.clearing.store(true, Ordering::Relaxed);
        light_barrier();
        // Acquire: what is cleared may be freed next, and the last watcher must be done with it.
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

    /// After something was stored: may somebody who has begun to watch, and looked, not have seen it? Then
    /// what he [said](Self::say_before_looking) before he looked is seen now.
    #[inline]
    pub(super) fn may_have_been_missed(&self) -> bool {
        light_barrier();
        let is_watched = self.is_watched();
        if is_watched {
            // The watcher's barrier for all came before it said anything. From then on each brings its own.
            fence(Ordering::SeqCst);
        }
        is_watched
    }

    /// Begins to watch. `barrier` is a full barrier for every thread. When this returns, no thread
    /// clears but in the careful way.
    pub(super) fn watch_all<'a>(all: impl Iterator<Item = &'a Self> + Clone, barrier: impl FnOnce()) {
        for thread in all.clone() {
            // Relaxed: the barrier brings it to every thread.
            thread.watched.store(true, Ordering::Relaxed);
        }
        barrier();
        for thread in all {
            // Acquire, with the release of the word that is taken back: all is cleared by then.
            while thread.clearing.load(Ordering::Acquire) {
                yield_now();
            }
        }
    }

    /// Release: whoever sees that nobody watches any more sees all that was done meanwhile.
    pub(super) fn unwatch_all<'a>(all: impl Iterator<Item = &'a Self>) {
        for thread in all {
            thread.watched.store(false, Ordering::Release);
        }
    }

    /// Keeps what a watcher says before what it then sees.
    pub(super) fn say_before_looking() {
        fence(Ordering::SeqCst);
    }
}

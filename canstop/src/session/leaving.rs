//! Leaving the table of those that wait, while somebody may be about to wake the one that leaves.
//!
//! Sessions leave all the time, and are woken by this crate once in the life of a program. So the
//! leaving must cost nothing, and the waking may cost a lot. As long as nobody watches, a session
//! leaves by a plain store. Once somebody watches, it leaves under a lock, and whoever wakes holds
//! that lock.
//!
//! # Why none is woken that has left
//!
//! What must be excluded is a session that looked, saw nobody watching, and clears its slot while it
//! is being woken. A thread that leaves first says so (`leaving = true`), then looks whether anybody
//! watches, then clears the slot, then takes the word back. Whoever begins to watch first says so
//! (`WATCHED += 1`), then looks at every thread until it has once not been leaving.
//!
//! Each side writes one word and then reads the other's, and at least one of them must see the
//! other's write: either the thread sees that it is watched, and takes the lock, or it is seen
//! leaving, and waited for. That needs a full barrier between write and read on both sides. On Linux
//! the watcher brings the barrier for both, `membarrier(2)`, which interrupts every running thread
//! of the process; the leaving side then has to keep the compiler from reordering, and nothing else.
//! Elsewhere each leave has its own fence.
//!
//! The words between `leaving = true` and `leaving = false` are a load and a store, and no user code:
//! waiting for them is waiting for the scheduler.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, compiler_fence, fence};
use std::sync::{Mutex, MutexGuard};
use std::thread::yield_now;

use super::slots::{self, Slot};
use super::thread;

/// How many supervisors watch their sessions right now.
static WATCHED: AtomicUsize = AtomicUsize::new(0);

/// Whoever leaves while somebody watches, or wakes, holds the gate of the slot's batch.
static GATES: [Gate; 64] = [const { Gate(Mutex::new(())) }; 64];

#[repr(align(64))]
struct Gate(Mutex<()>);

/// Does each leave need its own fence, as the watcher cannot bring one?
static NEEDS_FENCE: AtomicBool = AtomicBool::new(!cfg!(target_os = "linux"));

/// Is anybody stopping? One relaxed load: whoever counts also looks again by itself every few
/// milliseconds.
#[inline]
pub(super) fn somebody_watches() -> bool {
    WATCHED.load(Ordering::Relaxed) != 0
}

/// Lets sessions that end say so, and leave under the lock. When it returns, all do.
pub(crate) fn watch_sessions() {
    WATCHED.fetch_add(1, Ordering::SeqCst);
    barrier::for_all_threads();
    for leaving in thread::leaving_of_all() {
        // Acquire, with the release of the word that is taken back: the slot is cleared by then.
        while leaving.load(Ordering::Acquire) {
            yield_now();
        }
    }
}

/// Takes back one [`watch_sessions`].
pub(crate) fn stop_watching_sessions() {
    WATCHED.fetch_sub(1, Ordering::Relaxed);
}

/// Clears a session's slot.
#[inline]
pub(super) fn leave(slot: &'static Slot) {
    // Relaxed: what must not overtake it is ordered by what stands around it.
    let clear = || slot.task.store(ptr::null_mut(), Ordering::Relaxed);
    let leaving = thread::leaving();
    leaving.store(true, Ordering::Relaxed);
    if NEEDS_FENCE.load(Ordering::Relaxed) {
        fence(Ordering::SeqCst);
    } else {
        // The barrier that the watcher brings is between what stands before and behind this.
        compiler_fence(Ordering::SeqCst);
    }
    if somebody_watches() {
        leaving.store(false, Ordering::Release);
        let _gate = hold(slot);
        clear();
    } else {
        clear();
        leaving.store(false, Ordering::Release);
    }
}

/// Keeps the sessions in this slot's batch from leaving, once [`watch_sessions`] has returned.
pub(super) fn hold(slot: &'static Slot) -> MutexGuard<'static, ()> {
    let Gate(gate) = &GATES[slots::batch_of(slot) % GATES.len()];
    gate.lock().expect("nothing panics while a session leaves or is woken")
}

/// Prepares what [`watch_sessions`] needs of the system, before there is a session.
pub(crate) fn prepare() {
    barrier::prepare();
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "membarrier(2) has no wrapper in std")]
mod barrier {
    use std::sync::atomic::{Ordering, fence};

    use super::NEEDS_FENCE;

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the call takes two integers and touches no memory of this process.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Where the kernel has no such call, or forbids it, every leave brings its own fence.
    pub(super) fn prepare() {
        if !membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) {
            NEEDS_FENCE.store(true, Ordering::SeqCst);
        }
    }

    pub(super) fn for_all_threads() {
        if NEEDS_FENCE.load(Ordering::Relaxed) || !membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
            fence(Ordering::SeqCst);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod barrier {
    pub(super) fn prepare() {}

    pub(super) fn for_all_threads() {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    }
}

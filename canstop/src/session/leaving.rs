//! Leaving the table of those that wait, while somebody may be about to wake the one that leaves.
//!
//! Sessions leave all the time, and are woken by this crate once in the life of a program. So the
//! leaving must cost nothing, and the waking may cost a lot. As long as nobody watches, a session
//! leaves by a plain store. Once somebody watches, it leaves under a lock, and whoever wakes holds
//! that lock. Why the change from one to the other is safe stands in [`handshake`](super::handshake).
//!
//! The barrier that it needs is `membarrier(2)` on Linux, which interrupts every running thread of the
//! process. Elsewhere each leave has its own fence.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::handshake::{Barrier, Watchers};
use super::slots::{self, Slot};
use super::thread;

static WATCHERS: Watchers = Watchers(AtomicUsize::new(0));

/// Whoever leaves while somebody watches, or wakes, holds the gate of the slot's batch.
static GATES: [Gate; 64] = [const { Gate(Mutex::new(())) }; 64];

#[repr(align(64))]
struct Gate(Mutex<()>);

/// Does each leave need its own fence, as the watcher cannot bring one?
static OWN_BARRIER: AtomicBool = AtomicBool::new(!cfg!(target_os = "linux"));

/// Is anybody stopping? One relaxed load: whoever counts also looks again by itself every few
/// milliseconds.
#[inline]
pub(super) fn somebody_watches() -> bool {
    WATCHERS.any()
}

/// Lets sessions that end say so, and leave under the lock. When it returns, all do.
pub(crate) fn watch_sessions() {
    WATCHERS.begin(membarrier::for_all_threads, thread::clearing_of_all);
}

/// Takes back one [`watch_sessions`].
pub(crate) fn stop_watching_sessions() {
    WATCHERS.end();
}

/// Keeps sessions watched for as long as it lives, whoever else stops.
#[derive(Debug)]
pub(super) struct Watching(());

impl Watching {
    /// To be called while sessions are watched: this only sees to it that they still are.
    pub(super) fn on() -> Self {
        WATCHERS.one_more();
        Self(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        WATCHERS.end();
    }
}

/// Clears a session's slot.
#[inline]
pub(super) fn leave(slot: &'static Slot) {
    let own = OWN_BARRIER.load(Ordering::Relaxed);
    let barrier = if own { Barrier::Own } else { Barrier::Watcher };
    // Relaxed: what must not overtake it is ordered by the handshake, or by the gate.
    let clear = || slot.task.store(ptr::null_mut(), Ordering::Relaxed);
    thread::clearing().clear(&WATCHERS, barrier, clear, || {
        let _gate = hold(slot);
        clear();
    });
}

/// Keeps the sessions in this slot's batch from leaving, once [`watch_sessions`] has returned.
pub(super) fn hold(slot: &'static Slot) -> MutexGuard<'static, ()> {
    let Gate(gate) = &GATES[slots::batch_of(slot) % GATES.len()];
    gate.lock().expect("nothing panics while a session leaves or is woken")
}

/// Prepares what [`watch_sessions`] needs of the system, before there is a session.
pub(crate) fn prepare() {
    membarrier::prepare();
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "membarrier(2) has no wrapper in std")]
mod membarrier {
    use std::sync::atomic::{Ordering, fence};

    use super::OWN_BARRIER;

    fn call(command: libc::c_int) -> bool {
        // SAFETY: the call takes three integers and touches no memory of this process.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Where the kernel has no such call, or forbids it, every leave brings its own fence.
    pub(super) fn prepare() {
        if !call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) {
            OWN_BARRIER.store(true, Ordering::SeqCst);
        }
    }

    /// Once the process is registered, the kernel has no reason left to refuse.
    pub(super) fn for_all_threads() {
        if OWN_BARRIER.load(Ordering::Relaxed) {
            fence(Ordering::SeqCst);
        } else {
            assert!(call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED), "membarrier(2) fails after its registration");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod membarrier {
    pub(super) fn prepare() {}

    pub(super) fn for_all_threads() {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    }
}

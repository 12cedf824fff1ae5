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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::handshake::{Clearing, Watchers};
use super::slots::{self, Slot};
use super::thread;

/// Where no watcher can bring a barrier for all threads, somebody always watches.
static WATCHERS: Watchers = Watchers(AtomicUsize::new(!cfg!(target_os = "linux") as usize));

/// Whoever leaves while somebody watches, or wakes, holds the gate of the slot's batch.
static GATES: [Gate; 64] = [const { Gate(Mutex::new(())) }; 64];

#[repr(align(64))]
struct Gate(Mutex<()>);

/// Is anybody stopping? One relaxed load: whoever counts also looks again by itself every few
/// milliseconds.
#[inline]
pub(super) fn somebody_watches() -> bool {
    WATCHERS.any()
}

/// Was a session that has just entered the table perhaps missed by somebody who wakes?
#[inline]
pub(super) fn may_have_been_missed() -> bool {
    WATCHERS.may_have_missed()
}

/// Keeps what was said to sessions before what is then seen of them, as [`may_have_been_missed`] needs it.
pub(super) fn say_before_looking() {
    WATCHERS.say_before_looking();
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

/// Clears a session's slot, on this thread.
#[inline]
pub(super) fn leave(slot: &'static Slot, clearing: &Clearing) {
    // Relaxed: what must not overtake it is ordered by the handshake, or by the gate.
    clearing.clear(&WATCHERS, || clear(slot), || clear_carefully(slot));
}

#[inline]
fn clear(slot: &Slot) {
    slot.task.store(ptr::null_mut(), Ordering::Relaxed);
}

#[cold]
fn clear_carefully(slot: &'static Slot) {
    let _gate = hold(slot);
    clear(slot);
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
    use std::sync::Once;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::WATCHERS;

    static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

    fn call(command: libc::c_int) -> bool {
        // SAFETY: the call takes three integers and touches no memory of this process.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Where the kernel has no such call, or forbids it, sessions are watched from the first on.
    pub(super) fn prepare() {
        static PREPARED: Once = Once::new();
        PREPARED.call_once(|| {
            let is_registered = call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
            IS_REGISTERED.store(is_registered, Ordering::Relaxed);
            if !is_registered {
                WATCHERS.begin(|| {}, Vec::new);
            }
        });
    }

    /// Once the process is registered, the kernel has no reason left to refuse.
    pub(super) fn for_all_threads() {
        if IS_REGISTERED.load(Ordering::Relaxed) {
            assert!(call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED), "membarrier(2) fails after its registration");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod membarrier {
    pub(super) fn prepare() {}

    pub(super) fn for_all_threads() {}
}

//! Leaving the table of those that wait, while somebody may be about to wake the one that leaves.
//!
//! Sessions leave all the time, and are woken by this crate once in the life of a program. So the
//! leaving must cost nothing, and the waking may cost a lot. As long as nobody watches, a session
//! leaves by a plain store. Once somebody watches, it leaves under a lock, and whoever wakes holds
//! that lock. Why the change from one to the other is safe stands in [`handshake`](super::handshake).
//!
//! The barrier that it needs is `membarrier(2)` on Linux, which interrupts every running thread of the
//! process. Elsewhere sessions are watched from the first on.

use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, Once};

use super::handshake::Handshake;
use super::slots::{self, Slot};
use super::thread::{self, Thread};

/// How many watch.
static WATCHERS: Mutex<usize> = Mutex::new(0);

/// Whoever leaves while somebody watches, or wakes, holds the gate of the slot's batch.
static GATES: [Gate; 64] = [const { Gate(Mutex::new(())) }; 64];

#[repr(align(64))]
struct Gate(Mutex<()>);

/// Lets sessions that end say so, and leave under the lock. When it returns, all do.
pub(crate) fn watch_sessions() {
    let mut watchers = lock_watchers();
    if *watchers == 0 {
        let mut is_refused = false;
        thread::watch_all(|| is_refused = !membarrier::for_all_threads());
        // One more watcher for ever: no later change depends on a call that is refused.
        *watchers += usize::from(is_refused);
    }
    *watchers += 1;
}

/// Takes back one [`watch_sessions`].
pub(crate) fn stop_watching_sessions() {
    let mut watchers = lock_watchers();
    *watchers -= 1;
    if *watchers == 0 {
        thread::unwatch_all();
    }
}

fn lock_watchers() -> MutexGuard<'static, usize> {
    WATCHERS.lock().expect("nothing panics while it counts those that watch")
}

/// Keeps sessions watched for as long as it lives, whoever else stops.
#[derive(Debug)]
pub(super) struct Watching(());

impl Watching {
    pub(super) fn on() -> Self {
        watch_sessions();
        Self(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        stop_watching_sessions();
    }
}

/// Clears a session's slot, on this thread. Says whether somebody watches.
#[inline]
pub(super) fn leave(slot: &'static Slot, thread: &Thread) -> bool {
    thread.handshake.clear(|| clear(slot), || clear_carefully(slot))
}

/// Relaxed: what must not overtake it is ordered by the handshake, or by the gate.
#[inline]
fn clear(slot: &Slot) {
    slot.task.store(ptr::null_mut(), Ordering::Relaxed);
}

#[cold]
fn clear_carefully(slot: &'static Slot) {
    let _gate = hold(slot);
    clear(slot);
}

/// Keeps the sessions in this slot's batch from leaving, while they are watched.
pub(super) fn hold(slot: &'static Slot) -> MutexGuard<'static, ()> {
    let Gate(gate) = &GATES[slots::batch_of(slot) % GATES.len()];
    gate.lock().expect("nothing panics while a session leaves or is woken")
}

/// Keeps what is said to sessions before what is then seen of them.
pub(super) fn say_before_looking() {
    Handshake::say_before_looking();
}

/// Prepares what [`watch_sessions`] needs of the system, before there is a session.
pub(crate) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        if !membarrier::register() {
            // For ever.
            watch_sessions();
        }
    });
}

#[cfg(all(target_os = "linux", not(miri)))]
#[expect(unsafe_code, reason = "membarrier(2) has no wrapper in std")]
mod membarrier {
    use std::sync::atomic::{AtomicBool, Ordering, fence};
    use std::thread;
    use std::time::Duration;

    static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

    fn call(command: libc::c_int) -> bool {
        // SAFETY: the call takes three integers and touches no memory of this process.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// A kernel may have no such call, or forbid it.
    pub(super) fn register() -> bool {
        let is_registered = call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
        IS_REGISTERED.store(is_registered, Ordering::Relaxed);
        is_registered
    }

    /// How long a core may hold back what it has stored. It drains its stores as fast as it can, in much less
    /// than a microsecond; a thread that does not run has drained them when it was switched out.
    const STORES_ARE_VISIBLE_AFTER: Duration = Duration::from_millis(10);

    /// Orders the memory accesses of every thread around this call. Returns false if the kernel refuses its
    /// help, since a program may take rights from itself after the registration: then this waits until what
    /// the other threads stored before is visible, as nothing else can order it from outside.
    pub(super) fn for_all_threads() -> bool {
        if !IS_REGISTERED.load(Ordering::Relaxed) || call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
            return true;
        }
        fence(Ordering::SeqCst);
        thread::sleep(STORES_ARE_VISIBLE_AFTER);
        fence(Ordering::SeqCst);
        false
    }
}

#[cfg(any(not(target_os = "linux"), miri))]
mod membarrier {
    use std::sync::atomic::{Ordering, fence};

    /// For miri the light barrier is a full one too, so that it sees both ways to leave.
    pub(super) fn register() -> bool {
        cfg!(miri)
    }

    pub(super) fn for_all_threads() -> bool {
        fence(Ordering::SeqCst);
        true
    }
}

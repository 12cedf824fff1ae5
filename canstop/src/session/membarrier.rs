//! A full memory barrier for all threads of the process, brought by one of them.
//!
//! On Linux it is `membarrier(2)`, which interrupts every running thread. Elsewhere there is none, and sessions
//! are watched from the first on.

#[cfg(all(target_os = "linux", not(miri)))]
#[expect(unsafe_code, reason = "membarrier(2) has no wrapper in std")]
mod system {
    use std::sync::atomic::{AtomicBool, Ordering, fence};
    use std::thread;
    use std::time::Duration;

    static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

    fn call(command: libc::c_int) -> bool {
        // SAFETY: the call takes three integers and accesses no memory of this process.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Registers the process. Returns false if the kernel has no such call, or forbids it.
    pub(in super::super) fn register() -> bool {
        let is_registered = call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
        IS_REGISTERED.store(is_registered, Ordering::Relaxed);
        is_registered
    }

    /// How long a core may delay a store. It drains its store buffer in much less than a microsecond; a thread
    /// that does not run has drained it when it was switched out.
    const STORES_ARE_VISIBLE_AFTER: Duration = Duration::from_millis(10);

    /// Orders the memory accesses of every thread around this call. Returns false if the kernel refuses, since a
    /// program may give up rights after the registration. Then this waits until what other threads stored
    /// before is visible, because nothing else can order it from outside.
    pub(in super::super) fn for_all_threads() -> bool {
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
mod system {
    use std::sync::atomic::{Ordering, fence};

    /// Under miri the light barrier is a full one, so both ways to leave the table are tested.
    pub(in super::super) fn register() -> bool {
        cfg!(miri)
    }

    pub(in super::super) fn for_all_threads() -> bool {
        fence(Ordering::SeqCst);
        true
    }
}

pub(super) use system::{for_all_threads, register};

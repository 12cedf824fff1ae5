//! A process that was forked from a supervised one.
//!
//! A fork has one thread: it has neither the control plane nor the workers, and would wait for their answers for ever.

use std::process;

/// Which process a supervisor was made in.
#[derive(Clone, Copy, Debug)]
pub(super) struct HomeProcess(u32);

impl HomeProcess {
    pub(super) fn this() -> Self {
        Self(process::id())
    }

    /// Ends a fork with a sentence. Only its own memory is left as it is: destructors and `atexit` handlers
    /// belong to the process that it was forked from.
    pub(super) fn end_fork(self) {
        if process::id() != self.0 {
            end_with(
                "canstop: this process was forked from a supervised one and has no supervisor: its threads are not in a fork. \
                 Call `exec` after `fork`, or fork before `App::run`\n",
            );
        }
    }
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "std's ways to write and to exit take locks that a thread of the parent may have held")]
fn end_with(sentence: &str) -> ! {
    // SAFETY: the pointer and the length are those of a string, and both calls are safe in a fork.
    unsafe {
        libc::write(libc::STDERR_FILENO, sentence.as_ptr().cast(), sentence.len());
        libc::_exit(1)
    }
}

#[cfg(not(unix))]
fn end_with(sentence: &str) -> ! {
    unreachable!("{sentence}")
}

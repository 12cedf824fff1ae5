//! The end of the process, when it does not come by itself.

use std::thread;
use std::time::Duration;

use crate::machine::Exit;

/// MainChannels the process after `delay`, whatever else it waits for by then: a destructor of a static, an
/// `atexit` handler, a lock on stderr.
///
/// A process without a thread to spare for this is ended at once.
pub(super) fn arm_exit_watchdog(delay: Duration, exit: Exit) {
    let burn = move || {
        thread::sleep(delay);
        end_at_once(exit);
    };
    if thread::Builder::new().name("canstop-fuse".to_owned()).spawn(burn).is_err() {
        end_at_once(exit);
    }
}

/// MainChannels the process as `std::process::exit` does, running `atexit` handlers, with a fuse lit.
pub(super) fn end_process(exit: Exit) -> ! {
    arm_exit_watchdog(Duration::from_millis(40), exit);
    std::process::exit(exit.code().into())
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "the only way to end a process without running what may be stuck")]
fn end_at_once(exit: Exit) -> ! {
    // SAFETY: `_exit` has no precondition, and nothing runs after it.
    unsafe { libc::_exit(exit.code().into()) }
}

#[cfg(not(unix))]
fn end_at_once(exit: Exit) -> ! {
    std::process::exit(exit.code().into())
}

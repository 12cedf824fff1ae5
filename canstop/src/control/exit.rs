//! Writing and ending without waiting for anything.

use std::time::Duration;

use crate::machine::Exit;
use crate::report::write_past_lock;

/// How long that may take. Elsewhere than on Unix another thread writes, and must be waited for.
const WRITE_LIMIT: Duration = if cfg!(unix) { Duration::ZERO } else { Duration::from_millis(30) };

/// Writes past Rust's lock on stderr, as much as is taken without waiting.
pub(super) fn write_to_stderr(text: &[u8]) {
    let _ = write_past_lock(text, WRITE_LIMIT);
}

/// Ends the process without running what may be stuck.
#[cfg(unix)]
#[expect(unsafe_code, reason = "std's exit runs destructors and `atexit` handlers")]
pub(super) fn end_at_once(exit: Exit) -> ! {
    // SAFETY: `_exit` has no precondition, and nothing runs after it.
    unsafe { libc::_exit(exit.code().into()) }
}

#[cfg(not(unix))]
pub(super) fn end_at_once(exit: Exit) -> ! {
    std::process::exit(exit.code().into())
}

//! Writing and ending without waiting for anything.

use crate::machine::Exit;

/// Writes past Rust's lock on stderr, as much as is taken without waiting.
#[cfg(unix)]
pub(super) fn write_to_stderr(text: &[u8]) {
    let _ = crate::report::write_past_lock(text, std::time::Duration::ZERO);
}

#[cfg(not(unix))]
pub(super) fn write_to_stderr(text: &[u8]) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(text);
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

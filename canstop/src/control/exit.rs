//! Writing and ending without waiting for anything.

use crate::machine::Exit;

/// Writes past Rust's lock on stderr, as much as is taken without waiting.
#[cfg(unix)]
pub(super) fn write_to_stderr(text: &[u8]) {
    // A pipe that is writable at all takes this much at once.
    for part in text.chunks(libc::PIPE_BUF) {
        if !write_at_once(part) {
            return;
        }
    }
}

/// Returns whether something was written.
#[cfg(unix)]
#[expect(unsafe_code, reason = "stderr's own handle has a lock, which a stuck thread may hold")]
fn write_at_once(text: &[u8]) -> bool {
    let mut stderr = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
    // SAFETY: the pointers and lengths are those of a local and of a slice that outlives the calls, and each
    // call may be given any file descriptor.
    unsafe {
        if libc::poll(&mut stderr, 1, 0) != 1 || stderr.revents & libc::POLLOUT == 0 {
            return false;
        }
        // A socket may be writable and have less room than this.
        let sent = libc::send(libc::STDERR_FILENO, text.as_ptr().cast(), text.len(), libc::MSG_DONTWAIT);
        sent >= 0 || libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) >= 0
    }
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

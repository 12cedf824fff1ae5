//! `CANSTOP_READY_FD`: a newline on this file descriptor means ready, as with s6's `notification-fd`.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use crate::settings::World;

/// An inherited file descriptor for the newline.
#[derive(Debug)]
pub(super) struct ReadyFd(OwnedFd);

impl ReadyFd {
    pub(super) fn from_environment(world: &World<'_>) -> Result<Option<Self>, String> {
        let Some(text) = world.get("CANSTOP_READY_FD") else { return Ok(None) };
        let text = text.to_string_lossy();
        let fault = |why: &str| format!("CANSTOP_READY_FD is \"{text}\": {why}");
        let number: RawFd = text.parse().map_err(|_| fault("it is not a number"))?;
        if number <= 2 {
            return Err(fault("a file descriptor above 2 must be left open for it, as by s6's notification-fd"));
        }
        take(number).map(|fd| Some(Self(fd))).ok_or_else(|| fault("no file descriptor of that number is open"))
    }

    /// Writes the newline and closes the descriptor. It does not matter whether the other end is still open.
    pub(super) fn notify(self) {
        let _ = File::from(self.0).write(b"\n");
    }
}

/// Takes ownership of an inherited descriptor, and makes it close-on-exec.
#[expect(unsafe_code, reason = "only the operating system knows whether a number is an open file descriptor")]
fn take(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: `fcntl` may be given any number, and with these commands it changes no memory.
    let is_open = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == 0;
    // SAFETY: it is open, and was passed to this program for this purpose, so nothing else owns it.
    is_open.then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

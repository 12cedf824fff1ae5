//! Signals that ask the program to stop.

use tokio::time::Instant;

use crate::machine::Signal;

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod platform;

#[cfg(windows)]
pub(super) use platform::Signals;
#[cfg(all(unix, feature = "handover"))]
pub(super) use platform::unblock;
pub(super) use platform::{Waiter, replaced_handler};

/// A signal, and when and how it was delivered. The time of its delivery is the start of the grace,
/// however long the control plane takes to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) signal: Signal,
    pub(crate) at: Instant,
    /// The terminal sent it, because a key was pressed.
    pub(crate) from_terminal: bool,
}

impl Delivery {
    /// A signal that is delivered at this moment by something that is not a terminal.
    #[cfg(any(windows, feature = "testing"))]
    pub(crate) fn now(signal: Signal) -> Self {
        Self { signal, at: Instant::now(), from_terminal: false }
    }
}

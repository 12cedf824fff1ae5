//! Signals that ask the program to stop.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod platform;

pub(super) use platform::Signals;

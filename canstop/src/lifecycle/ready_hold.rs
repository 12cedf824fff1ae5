//! [`ReadyHold`].

use std::sync::atomic::{AtomicU64, Ordering};

use crate::machine::Input;
use crate::session::Hub;

/// Keeps the program from being ready until it is dropped. See [`Lifecycle::hold_ready`](crate::Lifecycle::hold_ready).
///
/// [`Lifecycle::hold_ready`](crate::Lifecycle::hold_ready) has an example.
#[derive(Debug)]
#[must_use = "the program may be ready again when this is dropped"]
pub struct ReadyHold {
    hub: &'static Hub,
    number: u64,
}

impl ReadyHold {
    pub(super) fn new(hub: &'static Hub, reason: String) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Relaxed: the numbers only have to differ.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        hub.event(Input::HoldReadiness { hold: number, reason });
        Self { hub, number }
    }
}

impl Drop for ReadyHold {
    fn drop(&mut self) {
        self.hub.event(Input::ReleaseReadiness { hold: self.number });
    }
}

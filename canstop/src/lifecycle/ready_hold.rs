//! [`ReadyHold`].

use std::sync::atomic::{AtomicU64, Ordering};

use crate::machine::Input;
use crate::session::Supervisor;

/// Keeps the program from being ready until it is dropped. See [`Lifecycle::hold_ready`](crate::Lifecycle::hold_ready).
#[derive(Debug)]
#[must_use = "the program may be ready again when this is dropped"]
pub struct ReadyHold {
    supervisor: &'static Supervisor,
    number: u64,
}

impl ReadyHold {
    pub(super) fn new(supervisor: &'static Supervisor, reason: String) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Relaxed: each number is only to be another one.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        supervisor.event(Input::HoldReadiness { hold: number, reason });
        Self { supervisor, number }
    }
}

impl Drop for ReadyHold {
    fn drop(&mut self) {
        self.supervisor.event(Input::ReleaseReadiness { hold: self.number });
    }
}

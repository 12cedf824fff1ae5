//! The one clock: tokio's, so that a test can pause it.

use tokio::time::Instant;

use crate::machine::Time;

/// Reads the time since the supervisor was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: Instant::now() }
    }

    pub(super) fn began(self) -> Instant {
        self.began
    }

    pub(super) fn now(self) -> Time {
        self.time(Instant::now())
    }

    pub(super) fn time(self, instant: Instant) -> Time {
        Time::after_start(instant.duration_since(self.began))
    }

    pub(super) fn instant(self, time: Time) -> Instant {
        self.began + time.since_start()
    }
}

//! The one clock: tokio's, so that a test can pause it.

use std::time::Duration;

use tokio::time::Instant;

use crate::machine::Time;

/// An instant further away than any program runs. `Duration::MAX` is a time that no [`Instant`] can name.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3_600);

/// Converts between the machine's time, which starts at zero, and instants.
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
        Time::after_start(instant.saturating_duration_since(self.began))
    }

    pub(super) fn instant(self, time: Time) -> Instant {
        later(self.began, time.since_start())
    }
}

/// The instant that is `duration` after `instant`, or one that is never reached.
pub(super) fn later(instant: Instant, duration: Duration) -> Instant {
    instant + duration.min(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_end_is_an_instant_far_away() {
        let clock = Clock::start();
        let end = Time::after_start(Duration::from_secs(1)) + Duration::MAX;
        assert_eq!(clock.instant(end), clock.began() + NEVER);
        assert_eq!(clock.instant(end + Duration::MAX), clock.began() + NEVER);
    }

    #[test]
    fn a_time_comes_back_from_its_instant() {
        let clock = Clock::start();
        let time = Time::after_start(Duration::from_millis(1_250));
        assert_eq!(clock.time(clock.instant(time)), time);
        assert_eq!(clock.time(clock.began() - Duration::from_millis(1)), Time::default());
    }
}

//! A point on the supervisor's own clock.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Time since the supervisor was created, on a clock that never goes back.
///
/// The machine has no clock: the control plane reads one and passes the time with each input. All
/// arithmetic saturates, so that `Duration::MAX` means "no limit" wherever it is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(Duration);

impl Time {
    pub(crate) const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub(crate) fn since(self, earlier: Time) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) fn since_start(self) -> Duration {
        self.0
    }
}

/// A part of a duration. A product that a `Duration` cannot hold is `Duration::MAX`.
pub(crate) fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_what_has_passed_since_the_start() {
        let time = Time::after_start(Duration::from_secs(3)) + Duration::from_secs(2);
        assert_eq!(time.since_start(), Duration::from_secs(5));
        assert_eq!((time - Duration::from_secs(9)).since_start(), Duration::ZERO);
    }
}

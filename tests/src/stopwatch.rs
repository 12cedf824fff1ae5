//! How long something takes, on a machine that may be busy.

use std::fs;
use std::time::{Duration, Instant};

/// What a busy machine may add at most. Whatever takes longer than that is late by itself.
const MOST_DELAY: Duration = Duration::from_secs(2);

/// Measures a time that a program promises, and does not blame the program where the machine had no core for it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    start: Instant,
    delay: Duration,
}

/// A time that was measured.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// By the clock.
    pub whole: Duration,
    /// The part in which a thread of this machine was ready to run and had no core.
    pub delayed: Duration,
}

impl Stopwatch {
    /// Starts to measure.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now(), delay: delay_since_boot() }
    }

    /// The time since the start.
    #[must_use]
    pub fn took(&self) -> Took {
        let delayed = delay_since_boot().saturating_sub(self.delay);
        Took { whole: self.start.elapsed(), delayed }
    }
}

impl Took {
    /// Returns true if it took at most this long, or if only a busy machine made it longer.
    #[must_use]
    pub fn at_most(&self, limit: Duration) -> bool {
        self.whole <= limit + self.delayed.min(MOST_DELAY)
    }
}

/// How long threads of this machine have waited for a core since it booted. Zero where the kernel does not count it.
fn delay_since_boot() -> Duration {
    let pressure = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    let total = pressure.lines().next().and_then(|some| some.rsplit_once("total=")?.1.parse().ok());
    Duration::from_micros(total.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machine_delayed_is_excused() {
        let ms = Duration::from_millis;
        let took = |whole, delayed| Took { whole: ms(whole), delayed: ms(delayed) };
        assert!(took(300, 0).at_most(ms(300)));
        assert!(!took(301, 0).at_most(ms(300)));
        assert!(took(340, 40).at_most(ms(300)) && !took(341, 40).at_most(ms(300)));
        assert!(!took(2_400, 60_000).at_most(ms(300)), "it hangs, whatever the machine does");
    }
}

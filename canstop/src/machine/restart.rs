//! Whether a service that ended is started again.

use std::collections::VecDeque;
use std::time::Duration;

use super::backoff::Backoff;
use super::time::Time;

/// When a service that ended by itself is started again.
///
/// ```
/// use canstop::{Lifecycle, Restart, Service};
///
/// let ticker = Service::new("ticker", |lifecycle: Lifecycle| async move { lifecycle.stopping().await });
/// let ticker = ticker.restart(Restart::Always); // `#[canstop::service(restart = "always")]`
/// # drop(ticker);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Restart {
    /// When it returned an error or panicked. `Ok` means that it is done.
    #[default]
    OnFailure,
    /// Whenever it ended, however it did, until the program stops.
    Always,
    /// Never. Its first failure is the program's.
    Never,
}

/// How many failures within which time are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) failures: u32,
    pub(crate) window: Duration,
}

impl Limit {
    pub(crate) const DEFAULT: Self = Self { failures: 5, window: Duration::from_secs(30) };
}

/// A service's restart options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RestartPolicy {
    pub(crate) restart: Restart,
    pub(crate) backoff: Backoff,
    pub(crate) limit: Limit,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self { restart: Restart::default(), backoff: Backoff::DEFAULT, limit: Limit::DEFAULT }
    }
}

/// What to do about a run that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum RestartDecision {
    /// It is done, and meant to be.
    Done,
    /// Start it again, after the pause for this many restarts in a row.
    RestartAfter { attempt: u32 },
    /// It is not restarted after a failure.
    GiveUp,
    /// It has failed this often within the limit's window, which is too often.
    LimitExceeded { failures: u32 },
}

/// What a service's past says about its next restart. Each service has its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Failures within the window, oldest first.
    failures: VecDeque<Time>,
    /// Restarts since it last ran for longer than the window.
    attempt: u32,
}

impl History {
    /// Judges a run that began at `began` and ended now.
    pub(crate) fn judge(&mut self, policy: &RestartPolicy, began: Time, now: Time, failed: bool) -> RestartDecision {
        if now.since(began) > policy.limit.window {
            self.attempt = 0;
        }
        if failed {
            self.failures.push_back(now);
            while let Some(&oldest) = self.failures.front()
                && now.since(oldest) > policy.limit.window
            {
                self.failures.pop_front();
            }
            if policy.restart == Restart::Never {
                return RestartDecision::GiveUp;
            }
            let failures = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
            if failures > policy.limit.failures {
                return RestartDecision::LimitExceeded { failures };
            }
        } else if policy.restart != Restart::Always {
            return RestartDecision::Done;
        }
        let attempt = self.attempt;
        self.attempt = attempt.saturating_add(1);
        RestartDecision::RestartAfter { attempt }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::after_start(Duration::from_secs(seconds))
    }

    fn policy(restart: Restart) -> RestartPolicy {
        RestartPolicy {
            restart,
            limit: Limit { failures: 2, window: Duration::from_secs(10) },
            ..RestartPolicy::default()
        }
    }

    #[test]
    fn the_failure_after_the_limit_within_the_window_is_one_too_many() {
        let mut history = History::default();
        let policy = policy(Restart::OnFailure);
        assert_eq!(history.judge(&policy, at(0), at(1), true), RestartDecision::RestartAfter { attempt: 0 });
        assert_eq!(history.judge(&policy, at(1), at(2), true), RestartDecision::RestartAfter { attempt: 1 });
        assert_eq!(history.judge(&policy, at(2), at(3), true), RestartDecision::LimitExceeded { failures: 3 });
    }

    #[test]
    fn failures_older_than_the_window_do_not_count_and_a_quiet_run_resets_the_backoff() {
        let mut history = History::default();
        let policy = policy(Restart::OnFailure);
        for n in 0..100 {
            let decision = history.judge(&policy, at(n * 11), at((n + 1) * 11), true);
            assert_eq!(decision, RestartDecision::RestartAfter { attempt: 0 });
        }
    }

    #[test]
    fn never_gives_up_at_the_first_failure_and_ok_is_done() {
        let policy = policy(Restart::Never);
        assert_eq!(History::default().judge(&policy, at(0), at(1), true), RestartDecision::GiveUp);
        assert_eq!(History::default().judge(&policy, at(0), at(1), false), RestartDecision::Done);
    }

    #[test]
    fn always_backs_off_after_ok_too_and_ok_never_meets_the_limit() {
        let mut history = History::default();
        let policy = policy(Restart::Always);
        for attempt in 0..50 {
            let decision = history.judge(&policy, at(1), at(1), false);
            assert_eq!(decision, RestartDecision::RestartAfter { attempt });
        }
    }

    #[test]
    fn a_failure_counts_until_the_window_is_over() {
        let window = Duration::from_secs(10);
        let cases =
            [(10, RestartDecision::LimitExceeded { failures: 2 }), (11, RestartDecision::RestartAfter { attempt: 0 })];
        for (second, decision) in cases {
            let policy = RestartPolicy { limit: Limit { failures: 1, window }, ..RestartPolicy::default() };
            let mut history = History::default();
            let _ = history.judge(&policy, at(0), at(0), true);
            assert_eq!(history.judge(&policy, at(0), at(second), true), decision);
        }
    }

    #[test]
    fn a_run_as_long_as_the_window_does_not_reset_the_pause() {
        let window = Duration::from_secs(10);
        let policy = RestartPolicy { limit: Limit { failures: 9, window }, ..RestartPolicy::default() };
        let mut history = History::default();
        let _ = history.judge(&policy, at(0), at(0), true);
        assert_eq!(history.judge(&policy, at(0), at(10), true), RestartDecision::RestartAfter { attempt: 1 });
        assert_eq!(history.judge(&policy, at(10), at(21), true), RestartDecision::RestartAfter { attempt: 0 });
    }
}

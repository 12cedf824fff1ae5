//! What is left to do when everything has stopped: flush hooks, while the data plane is still there, and values
//! that are dropped last.

use std::time::Duration;

use super::budget::Allowance;
use super::time::Time;

/// As long as flush hooks have together, and kept values for their drop.
const LIMIT: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Default)]
pub(super) struct Closing {
    /// How many flush hooks there are that have not ended.
    pub(super) hooks: u64,
    /// Values are kept for after the last line.
    pub(super) keeps: bool,
    /// Until when the hooks have time, once they run.
    pub(super) flush_until: Option<Time>,
}

impl Closing {
    /// How much of the grace is kept for it, so that nothing before it can use it up.
    pub(super) fn reserve(&self, allowance: Allowance) -> Duration {
        let flush = if self.hooks > 0 { self.flush_limit(allowance.grace) } else { Duration::ZERO };
        let keep = if self.keeps { (allowance.grace / 10).min(LIMIT) } else { Duration::ZERO };
        flush + keep
    }

    /// How long all hooks have together.
    pub(super) fn flush_limit(&self, grace: Duration) -> Duration {
        (grace / 5).min(LIMIT)
    }
}

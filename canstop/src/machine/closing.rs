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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_and_kept_values_have_a_part_of_the_grace_and_at_most_a_second() {
        let ms = Duration::from_millis;
        let reserve = |hooks, keeps, grace| {
            let allowance = Allowance { grace: ms(grace), drain_delay: Duration::ZERO };
            Closing { hooks, keeps, flush_until: None }.reserve(allowance)
        };
        assert_eq!(reserve(0, false, 2_000), Duration::ZERO);
        assert_eq!(reserve(3, false, 2_000), ms(400));
        assert_eq!(reserve(0, true, 2_000), ms(200));
        assert_eq!(reserve(1, true, 2_000), ms(600));
        assert_eq!(reserve(1, true, 60_000), ms(2_000));
    }
}

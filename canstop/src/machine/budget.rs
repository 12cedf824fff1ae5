//! How the grace is divided: time is reserved from its end backwards.

use std::time::Duration;

use super::time::{Time, scale};

/// What a stop may take, as the program was configured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// From the stop request to the exit.
    pub(crate) grace: Duration,
    /// How much of it everything goes on serving.
    pub(crate) drain_delay: Duration,
}

impl Allowance {
    /// What a dependency keeps for itself unless it says otherwise.
    pub(crate) fn default_reserve(self) -> Duration {
        (self.grace / 5).min(Duration::from_secs(1))
    }

    /// What is kept for the lines after `run()` in `main`, so that a stuck service does not cost
    /// the program its teardown.
    fn teardown_reserve(self) -> Duration {
        (self.grace / 20).min(Duration::from_millis(100))
    }
}

/// When each step of a stop must be over. Every step may end sooner; what it leaves goes to the
/// later ones, and no earlier step ever gets a later one's time.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    drain_delay_ends: Time,
    /// By stop level: 0 is the front, then the dependencies.
    level_ends: Vec<Time>,
    /// What part of the time that was wanted the dependency levels have.
    share: f64,
    deadline: Time,
    /// How long something that is signalled late has for its first poll.
    first_poll: Duration,
}

/// How long a service or session has for its first poll after it was signalled.
pub(crate) const FIRST_POLL: Duration = Duration::from_millis(10);
/// By how much all first polls together may exceed the deadline. The process exits by the deadline and
/// a quarter of a second; the report and the runtime's shutdown need most of that.
pub(crate) const TAIL: Duration = Duration::from_millis(20);

impl Budget {
    /// Divides the grace that begins at `stop_requested`.
    ///
    /// `reserves` are the dependency levels' own times, in the order in which they stop. Where they
    /// do not all fit, each gives up the same share, so that the front keeps at least as much as a
    /// level has on average.
    pub(crate) fn divide(allowance: Allowance, stop_requested: Time, reserves: &[Duration], teardown: bool) -> Self {
        let Allowance { grace, drain_delay } = allowance;
        let drain_delay = drain_delay.min(grace);
        let teardown = if teardown { allowance.teardown_reserve() } else { Duration::ZERO };
        let steps_have = grace.saturating_sub(drain_delay).saturating_sub(teardown);

        let wanted = reserves.iter().copied().fold(Duration::ZERO, Duration::saturating_add);
        let levels_have = wanted.min(part(steps_have, reserves.len(), reserves.len() + 1));
        let share = if wanted.is_zero() { 1.0 } else { levels_have.as_secs_f64() / wanted.as_secs_f64() };

        let mut level_ends = Vec::with_capacity(reserves.len() + 1);
        let mut used = drain_delay + (steps_have - levels_have);
        level_ends.push(stop_requested + used);
        for reserve in reserves {
            used = used.saturating_add(scale(*reserve, share));
            level_ends.push(stop_requested + used.min(grace));
        }
        let first_poll = FIRST_POLL.min(TAIL / (1 + reserves.len() as u32));
        let deadline = stop_requested + grace;
        Self { drain_delay_ends: stop_requested + drain_delay, level_ends, share, deadline, first_poll }
    }

    /// Until when something that is signalled at `now` has time, if its step ends at `step_ends`. It is
    /// polled at least once before it is abandoned, however short its grace is or however late its
    /// signal: therefore the end of a step gives way a little, and all steps together at most by
    /// [`TAIL`].
    pub(crate) fn until(&self, now: Time, step_ends: Time) -> Time {
        step_ends.max((now + self.first_poll).min(self.hard_deadline()))
    }

    /// The end of the drain delay comes now.
    pub(crate) fn end_drain_delay(&mut self, now: Time) {
        self.drain_delay_ends = self.drain_delay_ends.min(now);
    }

    /// Everything ends later by `span`.
    pub(crate) fn extend(&mut self, span: Duration) {
        self.level_ends.iter_mut().for_each(|ends| *ends = *ends + span);
        self.drain_delay_ends = self.drain_delay_ends + span;
        self.deadline = self.deadline + span;
    }

    /// What part of the time that is wanted in this level there is.
    pub(crate) fn share_of(&self, level: usize, wanted: Duration) -> f64 {
        if level > 0 {
            return self.share;
        }
        let front_has = self.level_ends(0).since(self.level_begins(0));
        if wanted > front_has { front_has.as_secs_f64() / wanted.as_secs_f64() } else { 1.0 }
    }

    pub(crate) fn drain_delay_ends(&self) -> Time {
        self.drain_delay_ends
    }

    /// At the latest.
    pub(crate) fn level_begins(&self, level: usize) -> Time {
        level.checked_sub(1).map_or(self.drain_delay_ends, |before| self.level_ends(before))
    }

    pub(crate) fn level_ends(&self, level: usize) -> Time {
        self.level_ends.get(level).copied().unwrap_or(self.deadline)
    }

    /// The last stop level there is.
    pub(crate) fn last_level(&self) -> usize {
        self.level_ends.len() - 1
    }

    pub(crate) fn deadline(&self) -> Time {
        self.deadline
    }

    /// The latest end of a first poll.
    pub(crate) fn hard_deadline(&self) -> Time {
        self.deadline + TAIL
    }
}

/// `duration * numerator / denominator`, without a limit on the product.
fn part(duration: Duration, numerator: usize, denominator: usize) -> Duration {
    let nanoseconds = duration.as_nanos() * numerator as u128 / denominator as u128;
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX);
    Duration::new(seconds, (nanoseconds % 1_000_000_000) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::after_start(Duration::from_secs(100));

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn divide(grace: f64, drain_delay: f64, reserves: &[f64], teardown: bool) -> Budget {
        let allowance = Allowance { grace: seconds(grace), drain_delay: seconds(drain_delay) };
        let reserves: Vec<_> = reserves.iter().copied().map(seconds).collect();
        Budget::divide(allowance, START, &reserves, teardown)
    }

    #[test]
    fn without_dependencies_the_edge_has_it_all() {
        let budget = divide(5.0, 0.0, &[], false);
        assert_eq!(budget.level_ends(0), budget.deadline());
        assert_eq!(budget.deadline(), START + seconds(5.0));
    }

    #[test]
    fn each_level_keeps_its_own_time_at_the_end() {
        let budget = divide(5.0, 0.5, &[1.0, 0.5], false);
        assert_eq!(budget.drain_delay_ends(), START + seconds(0.5));
        assert_eq!(budget.level_ends(0), START + seconds(3.5));
        assert_eq!(budget.level_ends(1), START + seconds(4.5));
        assert_eq!(budget.level_ends(2), START + seconds(5.0));
    }

    #[test]
    fn a_teardown_keeps_a_twentieth_and_at_most_a_tenth_of_a_second() {
        assert_eq!(divide(1.0, 0.0, &[], true).level_ends(0), START + seconds(0.95));
        assert_eq!(divide(60.0, 0.0, &[], true).level_ends(0), START + seconds(59.9));
    }

    #[test]
    fn reserves_that_do_not_fit_shrink_alike_and_leave_the_edge_its_share() {
        let budget = divide(3.0, 0.0, &[4.0, 4.0], false);
        assert_eq!(budget.level_ends(0), START + seconds(1.0));
        assert_eq!(budget.level_ends(1), START + seconds(2.0));
        assert_eq!(budget.level_ends(2), START + seconds(3.0));
    }

    #[test]
    fn a_level_has_the_share_of_its_wish_that_fits() {
        let budget = divide(3.0, 0.0, &[4.0, 4.0], false);
        assert_eq!(budget.share_of(1, seconds(4.0)), 0.25);
        // The front has a second.
        assert_eq!(budget.share_of(0, seconds(0.5)), 1.0);
        assert_eq!(budget.share_of(0, seconds(4.0)), 0.25);
    }

    #[test]
    fn an_extended_budget_ends_later_as_a_whole() {
        let mut budget = divide(5.0, 0.5, &[1.0], false);
        budget.extend(seconds(2.0));
        assert_eq!(budget.drain_delay_ends(), START + seconds(2.5));
        assert_eq!(budget.level_begins(0), budget.drain_delay_ends());
        assert_eq!(budget.level_ends(0), START + seconds(6.0));
        assert_eq!(budget.level_begins(1), budget.level_ends(0));
        assert_eq!((budget.last_level(), budget.level_ends(1)), (1, budget.deadline()));
        assert_eq!(budget.deadline(), START + seconds(7.0));
    }

    #[test]
    fn a_dependency_keeps_a_fifth_and_at_most_a_second() {
        let reserve = |grace| Allowance { grace: seconds(grace), drain_delay: Duration::ZERO }.default_reserve();
        assert_eq!((reserve(2.0), reserve(60.0)), (seconds(0.4), seconds(1.0)));
    }

    #[test]
    fn a_drain_delay_longer_than_the_grace_is_cut_and_nothing_underflows() {
        let budget = divide(1.0, 9.0, &[1.0], true);
        assert!(budget.drain_delay_ends() <= budget.level_ends(0));
        assert!(budget.level_ends(0) <= budget.level_ends(1));
        assert!(budget.level_ends(1) <= budget.deadline());
    }
}

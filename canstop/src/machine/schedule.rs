//! Who stops in which step of a stop, and until when each has time.

use std::time::Duration;

use super::budget::{Allowance, Budget};
use super::id::ServiceId;
use super::plan::Plan;
use super::time::{Time, scale};

/// The steps of a stop, as its budget divides them.
///
/// Level 0 is the front; a dependency is one level above the highest of its dependents. Children stop within the
/// slot of their parent, and before it; siblings with an order stop in it. What stops later in a slot has time of
/// its own at its end.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    budget: Budget,
    levels: Vec<usize>,
    by_level: Vec<Vec<ServiceId>>,
    ends: Vec<Time>,
}

impl Schedule {
    /// Divides the grace that begins at `requested`. `wants` is how long each service would like to
    /// have for itself; one that is gone wants nothing.
    pub(crate) fn divide(
        plan: &Plan,
        allowance: Allowance,
        requested: Time,
        wants: &[Option<Duration>],
        teardown: bool,
    ) -> Self {
        let levels = levels(plan, wants.len());
        // A level in which none is left needs no step, if there is none above it.
        let left = levels.iter().zip(wants).filter(|(level, wanted)| wanted.is_some() && **level != usize::MAX);
        let last_level = left.map(|(&level, _)| level).max().unwrap_or(0);
        let wants: Vec<_> = wants.iter().map(|wanted| wanted.unwrap_or_default()).collect();
        let chains = chains(plan, &levels, &wants);
        let mut slots = vec![Duration::ZERO; 1 + last_level];
        for (id, &level) in levels.iter().enumerate().filter(|&(_, &level)| level <= last_level) {
            slots[level] = slots[level].max(chains[id]);
        }
        let budget = Budget::divide(allowance, requested, &slots[1..], teardown);
        let mut ends: Vec<_> = levels.iter().map(|&level| budget.level_ends(level)).collect();
        for id in plan.stop_order().all().into_iter().rev() {
            let level = levels[id.0];
            let share = budget.share_of(level, slots.get(level).copied().unwrap_or_default());
            let later = plan.stop_order().stops_before(id).iter().filter(|other| levels[other.0] == level);
            let kept = later.map(|other| ends[other.0] - scale(wants[other.0], share)).min();
            // Rounding must not put it before its step begins.
            ends[id.0] = kept.map_or(ends[id.0], |kept| kept.max(budget.level_begins(level)));
        }
        let mut by_level = vec![Vec::new(); 1 + last_level];
        for (id, &level) in levels.iter().enumerate().filter(|(_, level)| **level <= last_level) {
            by_level[level].push(ServiceId(id));
        }
        Self { budget, levels, by_level, ends }
    }

    /// The services that are signalled in this step.
    pub(crate) fn of_level(&self, level: usize) -> &[ServiceId] {
        self.by_level.get(level).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The end of the drain delay comes now.
    pub(crate) fn end_drain_delay(&mut self, now: Time) {
        self.budget.end_drain_delay(now);
    }

    /// Everything ends later by `span`.
    pub(crate) fn extend(&mut self, span: Duration) {
        self.budget.extend(span);
        self.ends.iter_mut().for_each(|ends| *ends = *ends + span);
    }

    /// The step in which a service is signalled: the last one if it is not in the plan.
    pub(crate) fn level(&self, ServiceId(id): ServiceId) -> usize {
        self.levels.get(id).copied().unwrap_or(usize::MAX)
    }

    /// Until when it has time.
    pub(crate) fn ends(&self, ServiceId(id): ServiceId) -> Time {
        self.ends.get(id).copied().unwrap_or(self.budget.deadline())
    }
}

fn levels(plan: &Plan, services: usize) -> Vec<usize> {
    let mut levels = vec![usize::MAX; services];
    for id in plan.stop_order().all().into_iter().filter(|&id| plan.contains(id)) {
        let root = plan.outermost(id);
        let above = |other: &ServiceId| levels[other.0] + usize::from(plan.outermost(*other) != root);
        levels[id.0] = plan.stop_order().stops_after(id).iter().map(above).max().unwrap_or(0);
    }
    levels
}

/// How long each and all that stop before it in its slot would like to have together.
fn chains(plan: &Plan, levels: &[usize], wants: &[Duration]) -> Vec<Duration> {
    let mut chains = wants.to_vec();
    for id in plan.stop_order().all() {
        let earlier = plan.stop_order().stops_after(id).iter().filter(|other| levels[other.0] == levels[id.0]);
        let earlier = earlier.map(|other| chains[other.0]).max().unwrap_or_default();
        chains[id.0] = chains[id.0].saturating_add(earlier);
    }
    chains
}

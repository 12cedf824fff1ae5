//! The course of the present stop, for those who watch it.

use super::id::ServiceId;
use super::phase::Phase;
use super::state::State;
use super::time::Time;

/// A step of a stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StopStep {
    /// The program's phase during the step. A step is over when the program is in a later phase.
    pub(crate) phase: Phase,
    /// The services that stop in it.
    pub(crate) services: Vec<ServiceId>,
    /// When its time is up.
    pub(crate) ends: Time,
}

impl State {
    /// The steps of the stop in their order; none before the stop request.
    pub(crate) fn stop_steps(&self) -> Vec<StopStep> {
        let (Some(stop), Some(requested)) = (&self.stop, self.stop_requested()) else { return Vec::new() };
        let budget = stop.schedule.budget();
        let of_services = |level| StopStep {
            phase: Phase::Stopping(level),
            services: stop.schedule.of_level(level).to_vec(),
            ends: budget.level_ends(level),
        };
        let of_program = |phase, ends| StopStep { phase, services: Vec::new(), ends };
        let delay = budget.drain_delay_ends();
        let mut steps = Vec::from_iter((delay > requested).then(|| of_program(Phase::DrainDelay, delay)));
        steps.extend((0..=budget.last_level()).map(of_services));
        if self.has_run {
            steps.push(of_program(Phase::TearingDown, stop.teardown_until.unwrap_or(budget.deadline())));
        }
        if self.phase == Phase::Flushing {
            steps.push(of_program(Phase::Flushing, self.closing.flush_until.unwrap_or(budget.deadline())));
        }
        steps
    }
}

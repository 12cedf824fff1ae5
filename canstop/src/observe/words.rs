//! The words of phases and states, for series and pages.

use crate::machine::{Phase, ServiceState};

/// The words of the phases, in their order.
pub(super) const PHASES: [&str; 7] =
    ["setting_up", "running", "drain_delay", "stopping", "tearing_down", "flushing", "finished"];

pub(super) fn word_of(phase: Phase) -> &'static str {
    PHASES[match phase {
        Phase::SettingUp => 0,
        Phase::Running => 1,
        Phase::DrainDelay => 2,
        Phase::Stopping(_) => 3,
        Phase::TearingDown => 4,
        Phase::Flushing => 5,
        Phase::Finished => 6,
    }]
}

/// The words of the states of a service, in their order.
pub(super) const STATES: [&str; 6] = ["waiting", "starting", "ready", "backing_off", "stopping", "over"];

pub(super) fn word_of_state(state: ServiceState) -> &'static str {
    STATES[match state {
        ServiceState::Waiting => 0,
        ServiceState::Starting => 1,
        ServiceState::Ready => 2,
        ServiceState::BackingOff => 3,
        ServiceState::Stopping => 4,
        ServiceState::Over(_) => 5,
    }]
}

//! The words of the states of a service, for series and pages.

use crate::machine::ServiceState;

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

//! Whether the program is ready, alive and started: derived from the state, never stored beside it.

use std::fmt;
use std::time::Duration;

use super::cause::Cause;
use super::id::ServiceId;
use super::phase::Phase;
use super::stage::{ServiceOutcome, Stage};
use super::state::State;
use super::time::Time;
use super::timer::Timer;

/// For how long a service that was ready, and starts again, keeps the program ready: a quick restart is
/// not worth what a load balancer does about it.
const READY_HOLD: Duration = Duration::from_secs(3);

/// Why the program is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unready {
    /// Some service was never ready, or `main` has not called `run()`.
    Starting(Option<ServiceId>),
    /// A stop was requested.
    Stopping,
    /// A service that was ready is not any more.
    Service(ServiceId),
    /// The data plane does not turn.
    Stalled,
    /// [`Lifecycle::hold_ready`](crate::Lifecycle::hold_ready).
    Held(String),
}

impl Unready {
    /// The word that the health endpoint answers with. It names nothing.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Unready::Starting(_) => "starting",
            Unready::Stopping => "stopping",
            Unready::Service(_) => "service",
            Unready::Stalled => "stalled",
            Unready::Held(_) => "held",
        }
    }
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl State {
    pub(super) fn hold_readiness(&mut self, hold: u64, reason: String) {
        self.readiness.holds.push((hold, reason));
    }

    pub(super) fn release_readiness(&mut self, hold: u64) {
        self.readiness.holds.retain(|(known, _)| *known != hold);
    }

    /// Notes whether everything is ready for the first time. It is asked whenever a service may have
    /// become so, and costs one look while the same service still is not.
    pub(super) fn note_readiness(&mut self, now: Time) {
        if self.readiness.started || self.phase != Phase::Running {
            return;
        }
        // From the last witness on: services become ready about in their order.
        let first = self.readiness.witness.map_or(0, |ServiceId(id)| id);
        let mut from_there = (first..self.services.len()).chain(0..first).map(ServiceId);
        self.readiness.witness = from_there.find(|&id| self.lacks(now, id).is_some());
        self.readiness.started = self.readiness.witness.is_none() && self.readiness.holds.is_empty();
    }

    /// Was everything ready once?
    pub(crate) fn has_started(&self) -> bool {
        self.readiness.started
    }

    /// Is the program ready, as far as the data plane is not concerned?
    pub(crate) fn readiness(&self, now: Time) -> Result<(), Unready> {
        if matches!(self.cause(), Some(Cause::HandedOver { .. })) {
            // A probe that this process has accepted is about the process that serves, which is ready.
            return Ok(());
        }
        if self.phase.is_stopping() {
            return Err(Unready::Stopping);
        }
        if let Some((_, reason)) = self.readiness.holds.first() {
            return Err(Unready::Held(reason.clone()));
        }
        if self.phase == Phase::SettingUp {
            return Err(Unready::Starting(None));
        }
        self.ids().find_map(|id| self.lacks(now, id)).map_or(Ok(()), Err)
    }

    /// What keeps this service from being ready, if something does.
    fn lacks(&self, now: Time, id: ServiceId) -> Option<Unready> {
        let service = self.service(id);
        if service.spec.optional || service.is_refused {
            return None;
        }
        let is_up = match service.stage {
            Stage::Running { ready, .. } => ready && service.stop_by.is_none(),
            Stage::Over(outcome) => !matches!(outcome, ServiceOutcome::Failed | ServiceOutcome::Abandoned),
            Stage::Planned | Stage::BackingOff { .. } => false,
        };
        if is_up || service.left_ready.is_some_and(|left| now.since(left) < READY_HOLD) {
            return None;
        }
        if service.was_ready {
            return Some(Unready::Service(id));
        }
        // What is added to a program that has started counts from its own first readiness on: a program
        // that adds a service for each customer would never be ready otherwise.
        (!self.readiness.started).then_some(Unready::Starting(Some(id)))
    }

    /// Until when the services that are starting may take, at the latest.
    pub(crate) fn start_ends(&self) -> Option<Time> {
        self.index.timers.last(Timer::ServiceStart)
    }
}

/// What a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Live,
    Ready,
    Startup,
}

/// What a probe is answered.
pub(crate) type Answer = Result<(), Unready>;

/// Judges a probe of a program that has made no progress for this long: its data plane does not turn, or a listener
/// of it does not accept. A stop never makes the program dead: what kills it for its liveness kills the drain.
pub(crate) fn judge(probe: Probe, state: &State, stalled_for: Duration, stall: Duration, now: Time) -> Answer {
    let is_stalled = !state.phase().is_stopping() && stalled_for > stall;
    match probe {
        Probe::Live if is_stalled => Err(Unready::Stalled),
        Probe::Live => Ok(()),
        Probe::Startup if state.has_started() => Ok(()),
        Probe::Startup if state.phase().is_stopping() => Err(Unready::Stopping),
        Probe::Startup => Err(Unready::Starting(None)),
        Probe::Ready if is_stalled => Err(Unready::Stalled),
        Probe::Ready => state.readiness(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_word_that_names_nothing() {
        let reasons = [
            Unready::Starting(Some(ServiceId(3))),
            Unready::Stopping,
            Unready::Service(ServiceId(3)),
            Unready::Stalled,
            Unready::Held("migrating".to_owned()),
        ];
        assert_eq!(reasons.map(|reason| reason.to_string()), ["starting", "stopping", "service", "stalled", "held"]);
    }
}

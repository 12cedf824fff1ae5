//! Judges the answers to probes.

use super::settled::Settled;
use super::{Broken, law};
use crate::machine::phase::Phase;
use crate::machine::readiness::Unready;
use crate::machine::stage::ServiceOutcome;

impl Settled<'_> {
    /// Readiness follows from the services, and a stop ends it.
    pub(super) fn judge_readiness(&self) -> Result<(), Broken> {
        let Self { oracle, state } = self;
        let readiness = state.readiness(oracle.call.now);
        law!(state.has_started() || !oracle.started, "the program has started, and no longer says so");
        if oracle.is_handed_over() {
            law!(readiness == Ok(()), "another process serves, and readiness is {readiness:?}");
            return Ok(());
        }
        if oracle.stop.is_some() {
            law!(readiness == Err(Unready::Stopping), "the stop has begun, and readiness is {readiness:?}");
            return Ok(());
        }
        if !oracle.held.is_empty() {
            law!(matches!(readiness, Err(Unready::Held(_))), "readiness is held, and it is {readiness:?}");
            law!(oracle.started || !state.has_started(), "readiness is held, and the program counts as started");
            return Ok(());
        }
        if state.phase() == Phase::SettingUp {
            law!(readiness == Err(Unready::Starting(None)), "main sets up, and readiness is {readiness:?}");
            return Ok(());
        }
        let is_up = |id: &usize| {
            let seen = &oracle.services[*id];
            let ended_well = seen
                .outcome
                .is_some_and(|outcome| !matches!(outcome, ServiceOutcome::Failed | ServiceOutcome::Abandoned));
            ended_well || seen.refused || seen.live && seen.ready && seen.stop_by.is_none()
        };
        let down = (0..oracle.services.len()).filter(|id| !oracle.services[*id].spec.optional && !is_up(id));
        let down: Vec<_> = down.collect();
        law!(!down.is_empty() || readiness.is_ok(), "everything is up, and readiness is {readiness:?}");
        law!(!down.is_empty() || state.has_started(), "everything is up, and the program does not count as started");
        let were_ready = down.iter().all(|&id| oracle.services[id].was_ready);
        law!(readiness.is_err() || state.has_started(), "the program is ready, and does not count as started");
        law!(readiness.is_err() || oracle.started || were_ready, "the program is ready, but {down:?} never were");
        Ok(())
    }
}

//! Judges the machine after a call: nothing that is due is left undone.

use std::time::Duration;

use super::seen::Stop;
use super::sessions::TAIL;
use super::{Broken, Oracle, law};
use crate::machine::phase::Phase;
use crate::machine::stage::Request;
use crate::machine::state::State;
use crate::machine::time::Time;

/// The oracle, and the machine after the call.
pub(super) struct Settled<'a> {
    pub(super) oracle: &'a Oracle,
    pub(super) state: &'a State,
}

impl Settled<'_> {
    pub(super) fn judge(&self) -> Result<(), Broken> {
        let Self { oracle, state } = self;
        let phase = state.phase();
        law!(phase >= oracle.phase, "the phase goes back from {:?} to {phase:?}", oracle.phase);
        law!((phase == Phase::Finished) == oracle.over, "the phase is {phase:?}, and over is {}", oracle.over);
        law!(phase.is_stopping() == oracle.stop.is_some(), "the phase is {phase:?}, and no event reported it");
        law!(state.exit() == oracle.exit, "the exit is {:?}, but should be {:?}", state.exit(), oracle.exit);
        self.judge_what_was_owed()?;
        self.judge_wake()?;
        self.judge_readiness()?;
        if oracle.over {
            return Ok(());
        }
        match &oracle.stop {
            Some(stop) => self.judge_stop(stop),
            None if phase == Phase::Running => self.judge_running(),
            None => Ok(()),
        }
    }

    fn judge_what_was_owed(&self) -> Result<(), Broken> {
        let call = &self.oracle.call;
        law!(!call.must_stop || self.oracle.stop.is_some(), "a stop should have been requested");
        law!(!call.must_force || self.oracle.over, "the second signal should have forced the exit");
        law!(call.state_panicked.is_none() || self.oracle.over, "a panic was not reported: {:?}", call.state_panicked);
        law!(
            call.ready_ignored.is_none() || self.oracle.over,
            "the warning about `ready()` is missing: {:?}",
            call.ready_ignored
        );
        for (id, seen) in self.oracle.services.iter().enumerate() {
            law!(seen.outcome.is_none() || seen.drop_asked, "service {id} is over, and its state is not dropped");
        }
        law!(call.ended.is_none() || self.oracle.over, "an end was not reported: {:?}", call.ended);
        law!(
            call.ready.is_none() || self.oracle.over,
            "a service became ready, and no event reported it: {:?}",
            call.ready
        );
        Ok(())
    }

    /// The next wake lies in the future, or the machine would be woken for ever, and not after anything that is due.
    fn judge_wake(&self) -> Result<(), Broken> {
        let Self { oracle, state } = self;
        let now = oracle.call.now;
        let wake_at = state.wake_at();
        law!(!oracle.over || wake_at.is_none(), "a wake is set after the end");
        law!(wake_at.is_none_or(|wake_at| wake_at > now), "the next wake is in the past: {wake_at:?} at {now:?}");
        if oracle.over {
            return Ok(());
        }
        let due = self.next_due();
        let in_time = due.is_none_or(|due| wake_at.is_some_and(|wake_at| wake_at <= due));
        law!(in_time, "the next wake is at {wake_at:?}, and something is due at {due:?}");
        let Some(stop) = &oracle.stop else { return Ok(()) };
        law!(state.deadline() == Some(stop.deadline), "the deadline is {:?}", state.deadline());
        let promised = due.is_some_and(|due| now < due);
        law!(now < stop.deadline || promised && now < stop.deadline + TAIL, "the deadline has passed");
        Ok(())
    }

    /// The next time that was promised or announced.
    fn next_due(&self) -> Option<Time> {
        let Self { oracle, .. } = self;
        let services = (0..oracle.services.len()).filter(|&id| !oracle.is_itself_drained(id));
        let services = services.filter_map(|id| oracle.services[id].stop_by);
        let groups =
            oracle.groups.iter().filter(|group| !group.sessions.are_drained()).filter_map(|group| group.stop_by);
        let restarting = (0..oracle.services.len()).filter(|&id| !oracle.is_ending() && oracle.may_start_again(id));
        let restarts = restarting.filter_map(|id| oracle.services[id].restart_at);
        let of_stop = oracle.stop.iter().flat_map(|stop| {
            let root = match oracle.root_stop_by {
                None => Some(stop.drain_ends),
                Some(until) => Some(until).filter(|_| !oracle.root_is_drained()),
            };
            let waiting_line = stop.last_waiting_line + Duration::from_secs(1);
            if oracle.flushing {
                return Some(stop.deadline).into_iter().chain(None).chain([stop.deadline]);
            }
            let teardown = stop.teardown_until.filter(|_| !oracle.main.ended && !oracle.main.abandoned);
            root.into_iter().chain(teardown).chain([waiting_line])
        });
        services.chain(groups).chain(restarts).chain(of_stop).min()
    }

    /// Nothing is waited for after its time is up.
    fn judge_promises(&self) -> Result<(), Broken> {
        let now = self.oracle.call.now;
        for (id, seen) in self.oracle.services.iter().enumerate() {
            let up = seen.stop_by.is_some_and(|until| now >= until);
            law!(!(up && (seen.live || seen.dropping)), "service {id} is waited for after its time is up");
        }
        for owner in self.oracle.owners() {
            let up = self.oracle.stop_by(owner).is_some_and(|until| now >= until);
            let drained = self.oracle.sessions(owner).are_drained();
            law!(!up || drained, "sessions of {owner:?} are waited for after their time is up");
        }
        Ok(())
    }

    fn judge_supervision(&self) -> Result<(), Broken> {
        let Self { oracle, .. } = self;
        let requests = oracle.requests();
        for (id, seen) in oracle.services.iter().enumerate() {
            if requests[id].is_some() {
                self.judge_single_stop(id, requests[id] >= Some(Request::EndWithParent))?;
            } else if seen.outcome.is_none() && !seen.has_started() {
                let needs_are_up = oracle.needs[id].iter().all(|&need| oracle.lets_start(need));
                law!(!needs_are_up || !oracle.bound_needs_are_up(id), "service {id} may start, and has not");
            }
            let due = seen.restart_at.is_some_and(|at| oracle.call.now >= at);
            let ends = requests[id] >= Some(Request::EndWithParent);
            law!(!due || ends || !oracle.may_start_again(id), "service {id} should have been restarted");
        }
        Ok(())
    }

    fn judge_running(&self) -> Result<(), Broken> {
        self.judge_supervision()?;
        let Self { oracle, .. } = self;
        let requests = oracle.requests();
        let awaited =
            |id: usize| requests[id].is_some() && !(oracle.services[id].outcome.is_some() && oracle.is_drained(id));
        let watches = (0..oracle.services.len()).any(awaited);
        law!(oracle.watching == watches, "watching is {}, and should be {watches}", oracle.watching);
        self.judge_promises()?;
        let all_over = oracle.services.iter().all(|seen| seen.outcome.is_some());
        law!(!all_over || oracle.main.is_before_run(), "all services are done, and no stop is requested");
        Ok(())
    }

    /// A service that is to stop or restart alone is signalled as soon as no other service needs it.
    fn judge_single_stop(&self, id: usize, for_good: bool) -> Result<(), Broken> {
        let Self { oracle, .. } = self;
        let seen = &oracle.services[id];
        if oracle.is_needed(id) {
            return Ok(());
        }
        law!(
            oracle.is_drained(id) || seen.stop_by.is_some(),
            "service {id} should stop, and it or its sessions are not signalled"
        );
        law!(!for_good || seen.live || seen.restart_at.is_none(), "service {id} should stop, and waits for a restart");
        Ok(())
    }

    /// Every step ends as soon as it is drained.
    fn judge_stop(&self, stop: &Stop) -> Result<(), Broken> {
        let Self { oracle, state } = self;
        let phase = state.phase();
        self.judge_promises()?;
        if phase == Phase::DrainDelay {
            law!(oracle.call.now < stop.drain_ends, "the drain delay should be over");
            if oracle.running {
                self.judge_supervision()?;
            }
        }
        if oracle.flushing {
            let waits = oracle.hooks > 0 || !oracle.all_is_drained();
            law!(waits, "every hook has ended, and the machine has not finished");
        } else if oracle.all_is_drained() && !oracle.any_waits() {
            law!(oracle.main.in_run && !oracle.main.ended, "all is drained, and the machine has not finished");
            law!(oracle.main.returned, "all is drained, and run() has not returned");
        }
        if oracle.call.now < stop.drain_ends {
            return Ok(());
        }
        law!(oracle.root_stop_by.is_some(), "the root should have been signalled");
        for (id, seen) in oracle.services.iter().enumerate() {
            let level = oracle.stop_level(id);
            let waits = level > 0 && !oracle.root_is_drained();
            let lower = |other: usize| oracle.stop_level(other) >= level || oracle.is_drained(other);
            let its_turn = !waits && (0..oracle.services.len()).all(lower) && !oracle.is_needed(id);
            law!(
                !its_turn || oracle.is_drained(id) || seen.stop_by.is_some(),
                "service {id} should have been signalled"
            );
        }
        Ok(())
    }
}

//! Judges the actions of a call one by one.

use super::settled::Settled;
use super::{Broken, Oracle, law};
use crate::machine::action::Action;
use crate::machine::exit::Exit;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::stage::ServiceOutcome;
use crate::machine::state::State;

impl Oracle {
    /// Judges the actions that followed from the last input.
    pub(in crate::machine::tests) fn judge(&mut self, actions: &[Action], state: &State) -> Result<(), Broken> {
        let was_over = self.over;
        if let Some(fault) = self.call.wrong_id.take() {
            return Err(Broken(fault));
        }
        law!(!was_over || actions.is_empty(), "actions after the end: {actions:?}");
        law!(!self.call.stale || actions.is_empty(), "an input of an earlier run had an effect: {actions:?}");
        for (at, action) in actions.iter().enumerate() {
            law!(!self.over, "{action:?} follows the last action");
            self.judge_action(action, &actions[at + 1..], state)?;
        }
        self.note_silent_ends();
        if self.running {
            self.note_requests();
        }
        if !was_over {
            self.judge_hand_over_settled(state)?;
            self.settle(state)?;
            self.started = state.has_started();
        }
        Ok(())
    }

    fn judge_action(&mut self, action: &Action, rest: &[Action], state: &State) -> Result<(), Broken> {
        match action {
            &Action::Start { id, run } => {
                self.call.subject = Some(id.0);
                self.judge_start(id, run)
            }
            &Action::StopService { id, run, until } => {
                self.call.subject = Some(id.0);
                self.judge_signalled(id, run, until)
            }
            &Action::StopRoot { until } => self.judge_root_signalled(until),
            Action::RenewRoot => self.judge_root_renewed(),
            Action::BeginStop => {
                law!(self.stop.is_none(), "a stop begins twice");
                Ok(())
            }
            Action::WatchSessions => {
                law!(!self.watching, "sessions are watched already");
                self.watching = true;
                Ok(())
            }
            Action::UnwatchSessions => {
                law!(self.watching && self.stop.is_none(), "sessions are no longer watched during a stop");
                self.watching = false;
                Ok(())
            }
            Action::Abandon(abandoned) => self.judge_abandoned(abandoned),
            Action::CancelSessions { owner } => {
                law!(false, "{owner:?} is cancelled, but no test has sessions with `cancel`");
                Ok(())
            }
            &Action::Cancel { id: ServiceId(id), run } => {
                let seen = &self.services[id];
                law!(
                    seen.spec.cancel && seen.live,
                    "service {id} is cancelled without the option `cancel`, or is not running"
                );
                law!(seen.run == run && seen.stop_by.is_some(), "service {id} is cancelled before it is signalled");
                Ok(())
            }
            Action::DropMain => {
                law!(self.stop.is_some(), "main is dropped without a stop request");
                law!(
                    self.main.abandoned || self.main.is_before_run() && !self.main.listens,
                    "main is dropped though it has a Lifecycle, or is in run()"
                );
                law!(self.main.abandoned || self.root_has_no_sessions(), "main is dropped though it has sessions");
                self.main.dropped = true;
                Ok(())
            }
            Action::ReturnFromRun => self.judge_return_from_run(),
            &Action::DropState { id: ServiceId(id) } => self.judge_drop(id),
            Action::HandOver(action) => self.judge_hand_over(action),
            Action::Emit(event) => self.judge_event(event),
            Action::Flush => {
                law!(rest.is_empty() && !self.flushing, "actions follow the flush: {rest:?}");
                law!(self.hooks > 0 && self.stop.is_some(), "there is nothing to flush");
                law!(self.main.ended || self.main.abandoned, "hooks run before main has ended");
                law!(self.all_is_drained(), "hooks run before all is drained");
                self.flushing = true;
                Ok(())
            }
            Action::AbandonFlush => {
                law!(self.flushing && self.hooks > 0, "a flush is abandoned that is not running");
                self.exit = self.exit.max(Exit::Abandoned);
                Ok(())
            }
            Action::Finish => {
                law!(rest.is_empty(), "actions follow the last one: {rest:?}");
                self.judge_finish(state)
            }
            Action::ForceExit => {
                law!(rest.is_empty(), "actions follow the last one: {rest:?}");
                law!(self.call.must_force, "the exit is forced without a second signal");
                law!(matches!(state.exit(), Exit::Forced(_)), "the exit is forced, but it is {:?}", state.exit());
                self.exit = state.exit();
                self.judge_forced(state)
            }
        }
    }

    fn judge_start(&mut self, ServiceId(id): ServiceId, run: RunId) -> Result<(), Broken> {
        if let Some(stop) = &self.stop {
            law!(!self.is_ending() && self.call.now < stop.drain_ends, "service {id} starts after the drain delay");
            let restarts = self.services[id].has_started() || !self.is_late(&self.services[id].spec);
            law!(restarts, "service {id} starts for the first time after a stop request");
        }
        law!(self.running, "service {id} starts before run()");
        let to_stop = self.to_stop()[id];
        law!(!to_stop || self.is_needed(id), "service {id} starts though it was asked to stop");
        let seen = &self.services[id];
        law!(!seen.live && seen.outcome.is_none(), "service {id} starts while it runs, or after its end");
        law!(run == seen.run.next(), "service {id} starts as {run:?}");
        if seen.has_started() {
            let now = self.call.now;
            law!(seen.restart_at.is_some_and(|at| now >= at), "service {id} restarts before its backoff is over");
            law!(self.may_start_again(id), "service {id} restarts before its dependents are gone or its needs are up");
        } else {
            law!(!to_stop, "service {id} starts though it was asked to stop");
            law!(self.parent_run_alive(id), "service {id} starts without its parent");
            for &need in &self.needs[id] {
                law!(self.lets_start(need), "service {id} starts before service {need} is ready");
            }
            law!(self.bound_needs_are_up(id), "service {id} starts before the services that it is bound to are up");
        }
        self.forget_group_signals(id);
        let now = self.call.now;
        self.services[id].begin(now, run);
        self.leave_inside(id);
        self.resolve([]);
        Ok(())
    }

    fn judge_return_from_run(&mut self) -> Result<(), Broken> {
        law!(
            self.stop.is_some() && self.main.in_run && !self.main.ended,
            "run() returns, but main is not in it, or there is no stop"
        );
        law!(!self.main.returned, "run() returns a second time");
        law!(self.all_is_drained(), "run() returns before all is drained");
        self.main.returned = true;
        let deadline = self.stop.as_ref().map(|stop| stop.deadline - self.reserve);
        let until = deadline.map(|deadline| self.with_first_poll(deadline));
        self.stop.iter_mut().for_each(|stop| stop.teardown_until = until);
        Ok(())
    }

    /// The state of a service is dropped once, after its last run.
    fn judge_drop(&mut self, id: usize) -> Result<(), Broken> {
        if self.services[id].outcome.is_none() && self.to_stop()[id] {
            self.note_silent_end(id);
        }
        let stop_by = self.services[id].stop_by.map(|until| self.with_first_poll(until));
        let seen = &mut self.services[id];
        law!(!seen.live && seen.outcome.is_some(), "the state of service {id} is dropped before it is over");
        law!(!seen.drop_asked, "the state of service {id} is dropped twice");
        seen.drop_asked = true;
        // A stop does not wait for an abandoned service.
        seen.dropping = seen.outcome != Some(ServiceOutcome::Abandoned);
        if seen.dropping {
            seen.stop_by = stop_by;
        }
        Ok(())
    }

    /// A service that waits for its start or restart and is to stop ends without an event.
    fn note_silent_ends(&mut self) {
        for (id, to_stop) in self.to_stop().into_iter().enumerate() {
            let needed = self.is_needed(id);
            let seen = &mut self.services[id];
            if !self.running || !to_stop || needed || seen.live || seen.outcome.is_some() {
                continue;
            }
            self.note_silent_end(id);
        }
    }

    fn note_silent_end(&mut self, id: usize) {
        let seen = &mut self.services[id];
        if seen.has_started() {
            seen.account(ServiceOutcome::Stopped);
        } else {
            seen.outcome = Some(ServiceOutcome::NeverStarted);
        }
    }

    fn settle(&mut self, state: &State) -> Result<(), Broken> {
        Settled { oracle: self, state }.judge()?;
        self.phase = state.phase();
        self.wake_at = state.wake_at();
        Ok(())
    }
}

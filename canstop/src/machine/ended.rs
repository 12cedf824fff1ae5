//! How a run ended, and what follows from it.

use super::action::Action;
use super::cause::{Cause, LimitExceeded};
use super::event::Event;
use super::exit::Exit;
use super::id::{RunId, ServiceId};
use super::input::ExitReason;
use super::restart::{Limit, RestartDecision};
use super::service::Service;
use super::spec::Start;
use super::stage::{Request, ServiceOutcome, Stage, UserState};
use super::state::State;
use super::time::Time;

impl State {
    /// Decides what the end of a run means. A late message about an earlier run changes nothing.
    pub(super) fn service_ended(&mut self, now: Time, id: ServiceId, of: RunId, reason: ExitReason) {
        let ending = self.is_ending();
        let Some(service) = self.in_run_mut(id, of) else { return };
        let Stage::Running { began, .. } = service.stage else {
            return;
        };
        service.leaves_ready(now);
        if let Some(error) = reason.error() {
            service.last_error = Some(error.to_owned());
        }
        if service.stop_by.is_some() && service.is_to_restart() && !ending {
            self.ended_to_restart(now, id, reason);
        } else if service.stop_by.is_some() || ending && reason.error().is_none() {
            self.stopped(id, reason);
        } else {
            self.ended_by_itself(now, id, began, reason);
        }
    }

    /// It was signalled, and its next run begins as soon as it may. An error on the way out is reported,
    /// and heals with the next run.
    fn ended_to_restart(&mut self, now: Time, id: ServiceId, reason: ExitReason) {
        let until = self.begin_pause(now, id);
        self.emit(Event::ServiceEnded { service: self.name(id), reason, restart_in: Some(until.since(now)) });
    }

    /// It was signalled to stop. It may have failed on the way: a last flush that errs is work lost. Where
    /// it ends with its parent's run, the parent's next run heals it.
    fn stopped(&mut self, id: ServiceId, reason: ExitReason) {
        let failed = reason.error().is_some();
        let service = self.service(id);
        let heals = service.request == Some(Request::EndWithParent) && !self.is_ending();
        if failed && !service.spec.optional && !heals {
            self.exit = self.exit.max(Exit::Failed);
        }
        self.emit(Event::ServiceEnded { service: self.name(id), reason, restart_in: None });
        self.end(id, if failed { ServiceOutcome::Failed } else { ServiceOutcome::Stopped });
    }

    /// Nothing signalled it: that decides what its end means, never the type of an error.
    fn ended_by_itself(&mut self, now: Time, id: ServiceId, began: Time, reason: ExitReason) {
        let ending = self.is_ending();
        let Service { spec, history, was_ready, .. } = &mut self.services[id.0];
        let failed = reason != ExitReason::Done;
        let fails_start = failed && !*was_ready && spec.start == Start::Fail && !spec.optional && !ending;
        let decision = match history.judge(&spec.restart, began, now, failed) {
            // Its failure is its last: the program is on its way out.
            RestartDecision::RestartAfter { .. } if ending => RestartDecision::GiveUp,
            decision => decision,
        };
        // Not the last error: that may be an earlier run's.
        let error = reason.error().unwrap_or("its task was cancelled").to_owned();
        let service = spec.name.clone();
        let cause = match decision {
            RestartDecision::Done => return self.ended_for_good(id, reason, ServiceOutcome::Done),
            _ if fails_start => Cause::StartFailed(format!(
                "{spec} failed before it was ready: {error}; if a later attempt may succeed, give it `start = \"retry\"`"
            )),
            RestartDecision::RestartAfter { attempt } => {
                let pause = spec.restart.backoff.pause(attempt, &mut self.jitter);
                self.service_mut(id).stage = Stage::BackingOff { until: now + pause };
                self.emit(Event::ServiceEnded { service, reason, restart_in: Some(pause) });
                return self.restart_bound(id, now + pause);
            }
            _ if spec.optional => {
                self.ended_for_good(id, reason, ServiceOutcome::Lost);
                return self.emit(Event::ServiceLost { service });
            }
            RestartDecision::GiveUp => Cause::ServiceFailed { service, error, limit: None },
            RestartDecision::LimitExceeded { failures } => {
                let Limit { failures: limit, window } = spec.restart.limit;
                let limit = Some(LimitExceeded { failures, limit, window });
                Cause::ServiceFailed { service, error, limit }
            }
        };
        self.exit = self.exit.max(Exit::Failed);
        self.ended_for_good(id, reason, ServiceOutcome::Failed);
        self.request_stop(now, cause);
    }

    fn ended_for_good(&mut self, id: ServiceId, reason: ExitReason, outcome: ServiceOutcome) {
        self.emit(Event::ServiceEnded { service: self.name(id), reason, restart_in: None });
        self.end(id, outcome);
    }

    /// The service is over for good. It has stopped when its state is dropped, not before.
    pub(super) fn end(&mut self, id: ServiceId, outcome: ServiceOutcome) {
        // The drop begins now, and what has just returned is not blamed for it at once.
        let stop_by = self.service(id).stop_by.map(|until| self.until(self.now, until));
        let service = self.service_mut(id);
        service.stage = Stage::Over(outcome);
        service.stop_by = stop_by;
        if service.user_state == UserState::Held {
            service.user_state = UserState::Dropping;
            self.actions.push(Action::DropState { id });
        }
    }

    /// The drop of a service's state is over. A panic in it is the service's failure.
    pub(super) fn state_dropped(&mut self, now: Time, id: ServiceId, of: RunId, panic: Option<String>) {
        let Some(service) = self.in_run_mut(id, of) else { return };
        match service.user_state {
            UserState::Dropping => service.user_state = UserState::Dropped,
            UserState::Abandoned => return service.user_state = UserState::Dropped,
            UserState::Held | UserState::Dropped => return,
        }
        let Some(error) = panic else { return };
        service.last_error = Some(error.clone());
        service.stage = Stage::Over(ServiceOutcome::Failed);
        let (optional, signalled) = (service.spec.optional, service.stop_by.is_some());
        self.emit(Event::StatePanicked { service: self.name(id), error: error.clone() });
        if !optional {
            self.exit = self.exit.max(Exit::Failed);
            if !signalled {
                self.request_stop(now, Cause::ServiceFailed { service: self.name(id), error, limit: None });
            }
        }
    }
}

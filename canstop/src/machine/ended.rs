//! How a life ended, and what follows from it.

use super::cause::Cause;
use super::event::Event;
use super::exit::Exit;
use super::id::{RunId, ServiceId};
use super::input::ExitReason;
use super::restart::RestartDecision;
use super::service::{Request, Service, ServiceOutcome, Stage};
use super::state::State;
use super::time::Time;

impl State {
    /// Judges the end of a life. A late word about an earlier life changes nothing.
    pub(super) fn service_ended(&mut self, now: Time, id: ServiceId, of: RunId, reason: ExitReason) {
        let Some(service) = self.services.get_mut(id.0).filter(|service| service.run == of) else {
            return;
        };
        let Stage::Running { began, .. } = service.stage else {
            return;
        };
        service.leaves_ready(now);
        if let Some(error) = reason.error() {
            service.last_error = Some(error.to_owned());
        }
        if service.stop_by.is_some() && service.is_to_restart() && self.stop.is_none() {
            self.ended_to_restart(now, id, reason);
        } else if service.stop_by.is_some() || self.stop.is_some() && reason.error().is_none() {
            self.stopped(id, reason);
        } else {
            self.ended_by_itself(now, id, began, reason);
        }
    }

    /// It was told to, and begins a new life as soon as it may. An error on the way out is told, and
    /// heals with it.
    fn ended_to_restart(&mut self, now: Time, id: ServiceId, reason: ExitReason) {
        let until = self.begin_pause(now, id);
        self.emit(Event::ServiceEnded { service: self.name(id), reason, restart_in: Some(until.since(now)) });
    }

    /// It was told to stop. It may still have failed to do so well: a last flush that errs is work
    /// lost. Where it ends with its parent's life, the parent's next one heals it.
    fn stopped(&mut self, id: ServiceId, reason: ExitReason) {
        let failed = reason.error().is_some();
        let service = self.service(id);
        let heals = service.request == Some(Request::EndWithParent) && self.stop.is_none();
        if failed && !service.spec.optional && !heals {
            self.exit = self.exit.max(Exit::Failed);
        }
        self.service_mut(id).stage = Stage::Over(if failed { ServiceOutcome::Failed } else { ServiceOutcome::Stopped });
        self.emit(Event::ServiceEnded { service: self.name(id), reason, restart_in: None });
    }

    /// Nobody told it to: what it was is judged by that, never by the type of an error.
    fn ended_by_itself(&mut self, now: Time, id: ServiceId, began: Time, reason: ExitReason) {
        let Service { spec, history, .. } = &mut self.services[id.0];
        let failed = reason != ExitReason::Done;
        let mut decision = history.judge(&spec.restart, began, now, failed);
        if self.stop.is_some() && matches!(decision, RestartDecision::RestartAfter { .. }) {
            // Nothing starts after a stop request; the failure is its last.
            decision = RestartDecision::GiveUp;
        }
        let optional = spec.optional;
        match decision {
            RestartDecision::Done => {
                let service = self.service_mut(id);
                service.stage = Stage::Over(ServiceOutcome::Done);
                self.emit(Event::ServiceEnded { service: self.name(id), reason, restart_in: None });
            }
            RestartDecision::RestartAfter { attempt } => {
                let pause = spec.restart.backoff.pause(attempt, &mut self.jitter);
                self.service_mut(id).stage = Stage::BackingOff { until: now + pause };
                self.emit(Event::ServiceEnded { service: self.name(id), reason, restart_in: Some(pause) });
                self.restart_bound(id, now + pause);
            }
            RestartDecision::GiveUp if optional => {
                self.service_mut(id).stage = Stage::Over(ServiceOutcome::Lost);
                self.emit(Event::ServiceEnded { service: self.name(id), reason, restart_in: None });
                self.emit(Event::ServiceLost { service: self.name(id) });
            }
            RestartDecision::GiveUp => {
                let service = self.service_mut(id);
                service.stage = Stage::Over(ServiceOutcome::Failed);
                // Not the last error: that may be an earlier life's.
                let error = reason.error().unwrap_or("its task was cancelled").to_owned();
                let cause = Cause::ServiceFailed { service: service.spec.name.clone(), error };
                self.exit = self.exit.max(Exit::Failed);
                self.emit(Event::ServiceEnded { service: self.name(id), reason, restart_in: None });
                self.request_stop(now, cause);
            }
        }
    }
}

//! Starting, watching and restarting services, and stopping one of them.

use super::action::{Action, Notice};
use super::cause::Cause;
use super::event::Ending;
use super::exit::Exit;
use super::id::{Generation, ServiceId};
use super::phase::Phase;
use super::plan::{Plan, Ready, ServiceSpec};
use super::restart::Verdict;
use super::service::{Fate, Group, Service, Stage};
use super::state::State;
use super::time::Time;

impl State {
    /// Takes a service in. Before `run()` it waits for it; a running program must be able to fit it
    /// into its plan.
    ///
    /// That says nothing about `main`: registered services are added before its body begins. Where
    /// `main` itself starts one, the shell says so with [`Event::MainListens`](super::event::Event).
    pub(super) fn add(&mut self, spec: ServiceSpec) {
        let id = ServiceId(self.services.len());
        let mut service = Service::planned(spec);
        if self.phase.is_stopping() {
            service.stage = Stage::Over(Fate::NeverStarted);
        }
        self.services.push(service);
        if self.phase == Phase::Running {
            match self.check_plan() {
                Ok(plan) => self.plan = plan,
                Err(fault) => {
                    self.service_mut(id).stage = Stage::Over(Fate::Refused);
                    self.tell(Notice::ServiceRefused { id, fault });
                }
            }
        }
    }

    /// The plan of all services but those that were refused, which keep their numbers.
    fn check_plan(&self) -> Result<Plan, String> {
        let specs: Vec<_> = self
            .services
            .iter()
            .enumerate()
            .map(|(id, service)| {
                let mut spec = service.spec.clone();
                if service.stage == Stage::Over(Fate::Refused) {
                    // Nobody can name it, and it names nobody.
                    spec = ServiceSpec::new(format!("\0refused {id}"), spec.place);
                }
                spec
            })
            .collect();
        Plan::check(&specs, self.allowance.grace).map_err(|faults| faults.to_string())
    }

    /// `run()`: the plan as a whole, then whatever may start.
    pub(super) fn begin_running(&mut self, now: Time) {
        if self.phase.is_stopping() {
            return;
        }
        self.phase = Phase::Running;
        match self.check_plan() {
            Ok(plan) => self.plan = plan,
            Err(faults) => self.request_stop(now, Cause::StartFailed(faults)),
        }
    }

    /// Does everything that is due while the program runs.
    pub(super) fn supervise(&mut self, now: Time) {
        if self.phase != Phase::Running {
            return;
        }
        // Stops come first: what is not to be there any longer is not started again.
        self.stop_what_is_wanted(now);
        self.start_what_may(now);
        self.fail_late_start(now);
        // No body of `main` runs by now: it waits in `run()`, or it is over.
        if self.services.iter().all(Service::is_over) {
            self.request_stop(now, Cause::Finished);
        }
    }

    /// Starting one may make it ready, and so let the next one start.
    fn start_what_may(&mut self, now: Time) {
        while let Some(id) = self.ids().find(|&id| self.may_start(now, id)) {
            self.start(now, id);
        }
    }

    fn may_start(&self, now: Time, id: ServiceId) -> bool {
        let service = self.service(id);
        match service.stage {
            Stage::Planned => {
                let needs = self.plan.dependencies(id);
                !service.stop_wanted && needs.iter().all(|&need| self.service(need).lets_dependents_start())
            }
            Stage::BackingOff { until } => now >= until,
            Stage::Running { .. } | Stage::Over(_) => false,
        }
    }

    fn start(&mut self, now: Time, id: ServiceId) {
        let service = self.service_mut(id);
        let generation = service.generation.next();
        let ready = service.spec.ready == Ready::Started;
        service.generation = generation;
        service.stage = Stage::Running { began: now, ready };
        service.first_began.get_or_insert(now);
        service.was_ready |= ready;
        self.actions.push(Action::Start { id, generation });
        self.tell(Notice::ServiceStarted { id, generation });
        if ready {
            self.tell(Notice::ServiceReady { id });
        }
    }

    pub(super) fn service_ready(&mut self, id: ServiceId, of: Generation) {
        let Some(service) = self.services.get_mut(id.0).filter(|service| service.generation == of) else {
            return;
        };
        if let Stage::Running { ready: ready @ false, .. } = &mut service.stage {
            *ready = true;
            service.was_ready = true;
            self.tell(Notice::ServiceReady { id });
        }
    }

    /// When a service that never was ready has used up its start timeout.
    fn start_times_out(&self, id: ServiceId) -> Option<Time> {
        let service = self.service(id);
        let waits = !service.was_ready && !service.is_over() && service.told.is_none();
        service.first_began.filter(|_| waits).map(|began| began + service.spec.start_timeout)
    }

    fn fail_late_start(&mut self, now: Time) {
        let late = self.ids().find(|&id| self.start_times_out(id).is_some_and(|ends| now >= ends));
        if let Some(id) = late {
            let service = self.service(id);
            let ServiceSpec { start_timeout, .. } = service.spec;
            let mut fault = format!("{} was not ready within its start_timeout of {start_timeout:?}", service.spec);
            if let Some(error) = &service.last_error {
                fault.push_str("; it said last: ");
                fault.push_str(error);
            }
            self.request_stop(now, Cause::StartFailed(fault));
        }
    }

    /// Judges the end of a life. A late word about an earlier life changes nothing.
    pub(super) fn service_ended(&mut self, now: Time, id: ServiceId, of: Generation, ending: Ending) {
        let Some(service) = self.services.get_mut(id.0).filter(|service| service.generation == of) else {
            return;
        };
        let Stage::Running { began, .. } = service.stage else {
            return;
        };
        if let Some(error) = ending.error() {
            service.last_error = Some(error.to_owned());
        }
        if service.told.is_some() || self.stop.is_some() && ending.error().is_none() {
            self.stopped(id, ending);
        } else {
            self.ended_by_itself(now, id, began, ending);
        }
    }

    /// It was told to stop. It may still have failed to do so well: a last flush that errs is work
    /// lost.
    fn stopped(&mut self, id: ServiceId, ending: Ending) {
        let failed = ending.error().is_some();
        let optional = self.service(id).spec.optional;
        if failed && !optional {
            self.exit = self.exit.max(Exit::Failed);
        }
        self.service_mut(id).stage = Stage::Over(if failed { Fate::Failed } else { Fate::Stopped });
        self.tell(Notice::ServiceEnded { id, ending, restart_in: None });
    }

    /// Nobody told it to: what it was is judged by that, never by the type of an error.
    fn ended_by_itself(&mut self, now: Time, id: ServiceId, began: Time, ending: Ending) {
        let Service { spec, history, .. } = &mut self.services[id.0];
        let failed = ending != Ending::Done;
        let mut verdict = history.judge(&spec.restart, began, now, failed);
        if self.stop.is_some() && matches!(verdict, Verdict::RestartAfter { .. }) {
            // Nothing starts after a stop request; the failure is its last.
            verdict = Verdict::GiveUp;
        }
        let optional = spec.optional;
        match verdict {
            Verdict::Done => {
                let service = self.service_mut(id);
                service.stage = Stage::Over(Fate::Done);
                self.tell(Notice::ServiceEnded { id, ending, restart_in: None });
            }
            Verdict::RestartAfter { attempt } => {
                let pause = spec.restart.backoff.pause(attempt, &mut self.jitter);
                self.service_mut(id).stage = Stage::BackingOff { until: now + pause };
                self.tell(Notice::ServiceEnded { id, ending, restart_in: Some(pause) });
            }
            Verdict::GiveUp if optional => {
                self.service_mut(id).stage = Stage::Over(Fate::Lost);
                self.tell(Notice::ServiceEnded { id, ending, restart_in: None });
                self.tell(Notice::ServiceLost { id });
            }
            Verdict::GiveUp => {
                let service = self.service_mut(id);
                service.stage = Stage::Over(Fate::Failed);
                // Not the last error: that may be an earlier life's.
                let error = ending.error().unwrap_or("its task was cancelled").to_owned();
                let cause = Cause::ServiceFailed { service: service.spec.name.clone(), error };
                self.exit = self.exit.max(Exit::Failed);
                self.tell(Notice::ServiceEnded { id, ending, restart_in: None });
                self.request_stop(now, cause);
            }
        }
    }

    /// Somebody wants one service to stop. That those that need it stop with it, and before it, is
    /// found out whenever the plan is looked at: some may not be in it yet.
    pub(super) fn want_stop(&mut self, id: ServiceId) {
        if let Some(service) = self.services.get_mut(id.0) {
            service.stop_wanted = true;
            self.watch_sessions();
        }
    }

    fn stop_what_is_wanted(&mut self, now: Time) {
        while let Some(id) = self.ids().find(|&id| !self.service(id).stop_wanted && self.needs_one_that_stops(id)) {
            self.service_mut(id).stop_wanted = true;
        }
        self.stop_those(now, |state, id| state.service(id).stop_wanted);
    }

    fn needs_one_that_stops(&self, id: ServiceId) -> bool {
        self.plan.dependencies(id).iter().any(|&need| self.service(need).stop_wanted)
    }

    pub(super) fn supervision_wakes_at(&self) -> Option<Time> {
        let due = |id| {
            let service = self.service(id);
            [service.starts_again_at(), self.start_times_out(id), self.time_ends(id)].into_iter().flatten().min()
        };
        let groups_end = self.groups.iter().filter_map(Group::time_ends);
        self.ids().filter_map(due).chain(groups_end).min()
    }
}

//! Taking services in, and starting them when they may.

use super::action::Action;
use super::cause::Cause;
use super::event::Event;
use super::id::{Owner, RunId, ServiceId};
use super::location::Location;
use super::names::Entry;
use super::phase::Phase;
use super::plan::Plan;
use super::service::{Group, Service, ServiceOutcome, Sessions, Stage, UserState};
use super::spec::{Ready, ServiceSpec};
use super::state::State;
use super::time::Time;

impl State {
    /// The id that a service of this name gets: a new one, or that of one that is gone for good.
    pub(crate) fn number_for(&self, name: &str) -> ServiceId {
        let is_gone = |&id: &ServiceId| self.service(id).user_state == UserState::Dropped && self.is_drained(id);
        let gone = self.ids().find(|id| self.service(*id).spec.name == name && is_gone(id));
        gone.unwrap_or(ServiceId(self.services.len()))
    }

    /// Takes a service in. Before `run()` it waits for it; a running program must be able to fit it into
    /// its plan.
    ///
    /// That says nothing about `main`: registered services are added before its body begins. Where `main`
    /// itself starts one, the control plane sends [`Input::MainListens`](super::input::Input) first.
    pub(super) fn add(&mut self, spec: ServiceSpec) {
        let id = self.number_for(&spec.name);
        let before = self.services.get(id.0).map_or(RunId::default(), |gone| gone.run);
        let service = Service::planned(spec, before);
        if id.0 < self.services.len() {
            self.services[id.0] = service;
            self.groups_begin_anew(id);
        } else {
            self.services.push(service);
        }
        let may_start = !self.phase.is_stopping() || self.is_restarted_with_its_parent(id);
        if !may_start {
            self.end(id, ServiceOutcome::NeverStarted);
        } else if self.phase >= Phase::Running {
            match self.check_plan(Some(id)) {
                Ok(plan) => self.plan = plan,
                Err(fault) => {
                    self.emit(Event::ServiceRefused { service: self.name(id), fault });
                    self.end(id, ServiceOutcome::Refused);
                }
            }
            self.divide_anew();
        }
    }

    /// During the drain delay a parent's new run starts its children, as any run does.
    fn is_restarted_with_its_parent(&self, id: ServiceId) -> bool {
        let began = match self.parent_of(id).map(|parent| parent.stage) {
            Some(Stage::Running { began, .. }) if self.parent_run_alive(id) => Some(began),
            _ => None,
        };
        let since_the_request = began.zip(self.stop_requested()).is_some_and(|(began, requested)| began >= requested);
        self.phase == Phase::DrainDelay && since_the_request
    }

    /// The plan of all services, or of the present ones and a new one. Those that were refused, and those
    /// that are left of lives that are over, keep their numbers, but nobody can name them any more.
    fn check_plan(&self, new: Option<ServiceId>) -> Result<Plan, String> {
        let is_known = |id| match self.service(id).stage {
            Stage::Over(ServiceOutcome::Refused) => false,
            Stage::Over(_) => self.parent_run_alive(id) || !self.is_drained(id),
            _ => true,
        };
        let entries: Vec<_> =
            self.ids().map(|id| Entry { spec: &self.service(id).spec, is_known: is_known(id) }).collect();
        let plan = match new {
            Some(new) => self.plan.with(new, &entries, self.allowance.grace),
            None => Plan::check(&entries, self.allowance.grace),
        };
        plan.map_err(|faults| faults.to_string())
    }

    /// `run()`: the plan as a whole, then whatever may start.
    pub(super) fn begin_running(&mut self, now: Time) {
        if self.phase.is_stopping() {
            return;
        }
        self.phase = Phase::Running;
        self.has_run = true;
        match self.check_plan(None) {
            Ok(plan) => self.plan = plan,
            Err(faults) => self.request_stop(now, Cause::StartFailed(faults)),
        }
    }

    /// Does everything that is due while the program runs.
    pub(super) fn supervise(&mut self, now: Time) {
        if self.phase != Phase::Running {
            return;
        }
        self.supervise_services(now);
        self.fail_late_start(now);
        self.watch_sessions(self.any_request_open());
        // No body of `main` runs by now: it waits in `run()`, or it is over.
        if self.services.iter().all(Service::is_over) {
            self.request_stop(now, Cause::Finished);
        }
    }

    /// Restarts and single stops, while the program serves.
    pub(super) fn supervise_services(&mut self, now: Time) {
        if !self.has_run {
            return;
        }
        // Stops come first: what is to end is not started again.
        self.pass_on_requests();
        self.watch_sessions(self.any_request_open());
        self.stop_those(now, |state, id| state.service(id).request.is_some());
        self.start_what_may(now);
    }

    /// Starting one may make it ready, and so let the next one start.
    fn start_what_may(&mut self, now: Time) {
        while let Some(id) = self.ids().find(|&id| self.may_start(now, id)) {
            self.start(now, id);
        }
    }

    fn may_start(&self, now: Time, id: ServiceId) -> bool {
        let service = self.service(id);
        let needs_are_met = || {
            let mut needs = self.plan.needs(id).iter();
            service.request.is_none() && needs.all(|&need| self.service(need).lets_dependents_start())
        };
        match service.stage {
            Stage::Planned => needs_are_met() && self.bound_needs_are_up(id),
            Stage::BackingOff { until } => now >= until && self.may_start_again(id),
            Stage::Running { .. } | Stage::Over(_) => false,
        }
    }

    /// Who is bound to another waits for that one's new life.
    pub(super) fn bound_needs_are_up(&self, id: ServiceId) -> bool {
        self.plan.bound_needs(id).all(|need| self.service(need).lets_bound_start())
    }

    fn start(&mut self, now: Time, id: ServiceId) {
        let service = self.service_mut(id);
        let run = service.run.next();
        let ready = service.spec.ready == Ready::Started;
        service.run = run;
        service.stage = Stage::Running { began: now, ready };
        service.request = service.request.filter(|_| !service.is_to_restart());
        service.stop_by = None;
        service.sessions = Sessions::default();
        service.first_began.get_or_insert(now);
        service.was_ready |= ready;
        service.left_ready = service.left_ready.filter(|_| !ready);
        self.groups_begin_anew(id);
        self.actions.push(Action::Start { id, run });
        self.emit(Event::ServiceStarted { service: self.name(id), run: run.0 });
        if ready {
            self.emit(Event::ServiceReady { service: self.name(id) });
        }
    }

    /// What its groups of sessions were told was told to an earlier life.
    fn groups_begin_anew(&mut self, id: ServiceId) {
        for group in self.groups.iter_mut().filter(|group| group.home == Owner::Service(id)) {
            group.stop_by = None;
            group.cancelled = false;
        }
    }

    pub(super) fn service_ready(&mut self, id: ServiceId, of: RunId, location: Location) {
        let Some(service) = self.services.get_mut(id.0).filter(|service| service.run == of) else {
            return;
        };
        let Stage::Running { ready, .. } = &mut service.stage else { return };
        if service.spec.ready == Ready::Started {
            if !std::mem::replace(&mut service.ready_ignored, true) {
                self.emit(Event::ReadyIgnored { service: self.name(id), location });
            }
        } else if !std::mem::replace(ready, true) {
            service.was_ready = true;
            service.left_ready = None;
            self.emit(Event::ServiceReady { service: self.name(id) });
        }
    }

    /// When a service that never was ready has used up its start timeout.
    pub(super) fn start_times_out(&self, id: ServiceId) -> Option<Time> {
        let service = self.service(id);
        let waits = !service.was_ready && !service.is_over() && service.stop_by.is_none();
        service.first_began.filter(|_| waits).map(|began| began + service.spec.start_timeout)
    }

    fn fail_late_start(&mut self, now: Time) {
        let late = self.ids().find(|&id| self.start_times_out(id).is_some_and(|ends| now >= ends));
        if let Some(id) = late {
            let service = self.service(id);
            let ServiceSpec { start_timeout, .. } = service.spec;
            let mut fault = format!("{} was not ready within its start_timeout of {start_timeout:?}", service.spec);
            if let Some(error) = &service.last_error {
                fault.push_str("; its last error: ");
                fault.push_str(error);
            }
            self.request_stop(now, Cause::StartFailed(fault));
        }
    }

    pub(super) fn supervision_wakes_at(&self) -> Option<Time> {
        let due = |id| self.start_times_out(id).into_iter().chain(self.time_ends(id)).min();
        let groups_end = self.groups.iter().filter_map(Group::time_ends);
        self.ids().filter_map(due).chain(groups_end).chain(self.next_restart()).min()
    }

    pub(super) fn next_restart(&self) -> Option<Time> {
        let restart = |id| self.service(id).starts_again_at().filter(|_| self.may_start_again(id));
        self.ids().filter_map(restart).min()
    }
}

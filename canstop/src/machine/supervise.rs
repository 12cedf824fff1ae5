//! Taking services in, and starting them when they may.

use super::action::Action;
use super::budget::Allowance;
use super::cause::Cause;
use super::event::Event;
use super::facts::Facts;
use super::id::{Owner, RunId, ServiceId};
use super::location::Location;
use super::names::PlanEntry;
use super::phase::Phase;
use super::plan::{AFTER, BOUND_TO, Plan, check_own_options};
use super::service::{Service, Sessions};
use super::source::{SettingSource, StopSources};
use super::spec::{Ready, ServiceSpec};
use super::stage::{ServiceOutcome, Stage};
use super::state::State;
use super::time::Time;
use super::timer::Timer;

impl State {
    /// Takes a service in. Before `run()` it waits for it; a running program must be able to fit it into
    /// its plan.
    ///
    /// That says nothing about `main`: registered services are added before its body begins. Where `main`
    /// itself starts one, the control plane sends [`Input::MainListens`](super::input::Input) first.
    pub(super) fn add(&mut self, spec: ServiceSpec) {
        let id = self.number_for(&spec);
        let is_late = self.is_late(&spec);
        let service = Service::planned(spec, self.services.get(id.0));
        self.place(id, service);
        self.groups_begin_anew(id);
        if is_late {
            self.end(id, ServiceOutcome::NeverStarted);
        } else if self.phase >= Phase::Running {
            if let Err(fault) = self.fit(id) {
                self.emit(Event::ServiceRefused { service: self.name(id), fault });
                self.service_mut(id).is_refused = true;
                self.end(id, ServiceOutcome::Refused);
            }
            self.divide_again();
        }
    }

    /// Fits a service into the plan of the running program. One that no other names is fitted in without a look at
    /// all the others.
    fn fit(&mut self, id: ServiceId) -> Result<(), String> {
        self.refresh();
        let spec = &self.service(id).spec;
        let mut faults = Vec::new();
        check_own_options(spec, self.allowance.grace, &mut faults);
        let spec_of = |id| &self.service(id).spec;
        let after = self.index.names.resolve(spec, &spec.after, AFTER, spec_of, &mut faults);
        let bound_to = self.index.names.resolve(spec, &spec.bound_to, BOUND_TO, spec_of, &mut faults);
        let parent = spec.parent.map(|parent| parent.id);
        let is_unique = self.index.of_path(&spec.name).all(|other| other == id || !self.is_known(other));
        let names_itself = after.contains(&id) || bound_to.contains(&id);
        let is_plain = faults.is_empty() && is_unique && !names_itself && !self.plan.contains(id);
        let is_added = is_plain && self.add_to_plan(id, parent, after, bound_to);
        if !is_added {
            self.plan = self.check_plan(Some(id))?;
            self.index_anew();
        }
        Ok(())
    }

    /// Adds a service to the plan, if that does not depend on all the others.
    fn add_to_plan(
        &mut self,
        id: ServiceId,
        parent: Option<ServiceId>,
        after: Vec<ServiceId>,
        bound_to: Vec<ServiceId>,
    ) -> bool {
        // What it comes to is derived once more, with its new relations.
        self.note(id, Facts::default());
        let is_added = self.plan.add(id, parent, after, bound_to);
        let before = self.plan.stop_order().stops_after(id);
        let blockers = before.iter().filter(|other| self.service(**other).entry.facts.blocks).count();
        self.service_mut(id).entry.blockers = blockers;
        self.refresh();
        is_added
    }

    /// The plan of all services, or of the present ones and a new one.
    fn check_plan(&self, new: Option<ServiceId>) -> Result<Plan, String> {
        // A new service can be named as soon as it is in the plan.
        let is_known = |id| new.is_none_or(|new| id == new || self.is_known(id));
        let entries: Vec<_> =
            self.ids().map(|id| PlanEntry { spec: &self.service(id).spec, is_known: is_known(id) }).collect();
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
            Ok(plan) => {
                self.plan = plan;
                self.index_anew();
                self.report_short_drain_delay();
            }
            Err(faults) => self.request_stop(now, Cause::StartFailed(faults)),
        }
    }

    /// Reports a drain delay that is shorter than the platform's. Without services there is nothing that gets requests.
    pub(super) fn report_short_drain_delay(&mut self) {
        let Allowance { grace, drain_delay } = self.allowance;
        let StopSources { grace: grace_source, drain_delay: SettingSource::Platform(platform) } = self.sources else {
            return;
        };
        if !self.services.is_empty() && drain_delay < platform.allowance().drain_delay {
            self.emit(Event::DrainDelayShortened { platform, drain_delay, grace, grace_source });
        }
    }

    /// Does everything that is due while the program runs.
    pub(super) fn supervise(&mut self, now: Time) {
        if self.phase != Phase::Running {
            return;
        }
        self.supervise_services(now);
        self.fail_late_start(now);
        self.refresh();
        self.watch_sessions(self.index.any_request_open());
        // No body of `main` runs by now: it waits in `run()`, or it is over.
        if self.index.all_are_over() {
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
        self.refresh();
        self.watch_sessions(self.index.any_request_open());
        self.stop_those(now, |state, id| state.service(id).request.is_some());
        self.start_what_may(now);
    }

    /// Starting one may make it ready, and so let the next one start.
    fn start_what_may(&mut self, now: Time) {
        self.refresh();
        while let Some(id) = self.index.for_start.pop_first() {
            if self.may_start(now, id) {
                self.start(now, id);
                self.refresh();
            }
        }
    }

    pub(super) fn may_start(&self, now: Time, id: ServiceId) -> bool {
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

    /// A service that is bound to another waits for that one's new run.
    pub(super) fn bound_needs_are_up(&self, id: ServiceId) -> bool {
        self.plan.bound_needs(id).all(|need| self.service(need).lets_bound_start())
    }

    fn start(&mut self, now: Time, id: ServiceId) {
        self.leave_earlier_run(id);
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
        self.emit(Event::ServiceStarted { service: self.name(id), run: self.service(id).run_number() });
        if ready {
            self.emit(Event::ServiceReady { service: self.name(id) });
        }
    }

    /// What its groups of sessions were signalled concerned an earlier run.
    fn groups_begin_anew(&mut self, id: ServiceId) {
        for group in self.groups_of(Owner::Service(id)).to_vec() {
            self.change_group(group, |group| {
                group.stop_by = None;
                group.cancelled = false;
            });
        }
    }

    pub(super) fn service_ready(&mut self, id: ServiceId, of: RunId, location: Location) {
        let Some(service) = self.in_run_mut(id, of) else { return };
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
        let first_began = service.first_began.filter(|_| waits && !self.phase.is_stopping());
        first_began.map(|began| began + service.spec.start_timeout)
    }

    fn fail_late_start(&mut self, now: Time) {
        self.refresh();
        if let Some(id) = self.index.services_due(Timer::ServiceStart, now).next() {
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
}

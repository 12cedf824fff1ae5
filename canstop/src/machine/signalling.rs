//! Who is signalled to stop, when, and how much time each then has.

use std::time::Duration;

use super::action::Action;
use super::budget::FIRST_POLL;
use super::event::Event;
use super::id::{Owner, ServiceId};
use super::service::{Group, Sessions};
use super::stage::{ServiceOutcome, Stage};
use super::state::State;
use super::time::Time;

impl State {
    pub(super) fn signal_root(&mut self, now: Time) {
        if let Some(stop) = &self.stop {
            let budget = stop.schedule.budget();
            self.stop_root(now, budget.until(now, budget.level_ends(0)));
        }
    }

    /// Signals `main`, the root's sessions and their groups to stop by `until`.
    fn stop_root(&mut self, now: Time, until: Time) {
        self.stop.iter_mut().for_each(|stop| stop.root_until = Some(until));
        self.actions.push(Action::StopRoot { until });
        self.signal_groups(now, Owner::Root);
    }

    /// Gives the root time once more, for what the code after `run()` and the flush hooks spawn. Sessions that were
    /// abandoned before do not belong to it any longer.
    pub(super) fn resume_root(&mut self, until: Time) {
        let groups = self.groups_of(Owner::Root).to_vec();
        let is_spent = |group: &Group| group.sessions.abandoned || group.cancelled;
        if self.root_sessions.abandoned || groups.iter().any(|&group| is_spent(&self.groups[group])) {
            self.root_sessions = Sessions::default();
            for &group in &groups {
                self.change_group(group, |group| {
                    group.sessions = Sessions::default();
                    group.cancelled = false;
                });
            }
            self.actions.push(Action::RenewRoot);
        }
        self.stop_root(self.now, until);
    }

    /// Until when the root's sessions and the body of `main` have time, once they were signalled.
    pub(super) fn root_until(&self) -> Option<Time> {
        self.stop.as_ref().and_then(|stop| stop.root_until)
    }

    /// Until when something has time that is signalled now and has `ends` at most: long enough to be polled
    /// once.
    pub(super) fn until(&self, now: Time, ends: Time) -> Time {
        match &self.stop {
            Some(stop) => stop.schedule.budget().until(now, ends),
            None => ends.max(now + FIRST_POLL),
        }
    }

    /// Stops the services whose turn it is, each as soon as none needs it: what has used up its time is abandoned,
    /// what was not signalled is signalled. Sessions may come after their service's turn, too.
    pub(super) fn stop_those(&mut self, now: Time, turn: impl Fn(&Self, ServiceId) -> bool) {
        loop {
            // That may be all that the next ones wait for.
            self.abandon_overdue(now);
            self.refresh();
            let considered = std::mem::take(&mut self.index.for_stop);
            if considered.is_empty() {
                return;
            }
            let is_next = |&id: &ServiceId| turn(self, id) && self.awaits_stop(id) && !self.is_needed(id);
            let next: Vec<_> = considered.into_iter().filter(is_next).collect();
            for id in next {
                if self.is_to_end(id) {
                    self.never_starts_again(id);
                }
                self.refresh();
                // One of these may have ended just now, and its state is still there.
                if self.is_not_stopping(id) && !self.is_needed(id) {
                    self.signal_service(now, id);
                }
            }
        }
    }

    /// If it waits to be started, it waits no longer.
    pub(super) fn never_starts_again(&mut self, id: ServiceId) {
        match self.service(id).stage {
            Stage::Planned => self.end(id, ServiceOutcome::NeverStarted),
            Stage::BackingOff { .. } => self.end(id, ServiceOutcome::Stopped),
            Stage::Running { .. } | Stage::Over(_) => {}
        }
    }

    fn is_not_stopping(&self, id: ServiceId) -> bool {
        self.service(id).stop_by.is_none() && !self.is_itself_drained(id)
    }

    /// Is there something to do about its stop?
    pub(super) fn awaits_stop(&self, id: ServiceId) -> bool {
        self.is_not_stopping(id) || self.service(id).waits_to_start() && self.is_to_end(id)
    }

    /// Does it end for good, alone or with the program?
    fn is_to_end(&self, id: ServiceId) -> bool {
        self.is_ending() || self.service(id).is_to_end()
    }

    /// The step of the stop in which a service is signalled. What is left of one that is not in the plan belongs to
    /// the last step, and costs no other its time.
    pub(super) fn level(&self, id: ServiceId) -> usize {
        match &self.stop {
            Some(stop) if self.plan.contains(id) => stop.schedule.level(id),
            Some(_) => usize::MAX,
            None => 0,
        }
    }

    /// Its sessions are signalled with it, also where the service itself is over already.
    fn signal_service(&mut self, now: Time, id: ServiceId) {
        let until = self.time_from(id, now);
        let service = self.service_mut(id);
        service.stop_by = Some(until);
        service.leaves_ready(now);
        let run = service.run;
        let runs = service.is_running();
        let cancel = service.spec.cancel;
        self.actions.push(Action::StopService { id, run, until });
        self.signal_groups(now, Owner::Service(id));
        if runs {
            self.emit(Event::ServiceStopping { service: self.name(id) });
        }
        if runs && cancel {
            self.actions.push(Action::Cancel { id, run });
        }
    }

    /// Takes in sessions with a grace of their own; their home may be stopping already.
    pub(super) fn add_group(&mut self, now: Time, home: Owner, grace: Duration, cancels: bool) {
        let sessions = Sessions::default();
        let mut group = Group { home, grace, stop_by: None, cancels, cancelled: false, sessions };
        if let Some(until) = self.home_has_until(home) {
            group.stop(now, until, self.until(now, now + grace));
        }
        self.groups.push(group);
        self.index_group(self.groups.len() - 1);
    }

    fn signal_groups(&mut self, now: Time, home: Owner) {
        let Some(until) = self.home_has_until(home) else { return };
        for group in self.groups_of(home).to_vec() {
            let own = self.until(now, now + self.groups[group].grace);
            self.change_group(group, |group| group.stop(now, until, own));
        }
    }

    /// Until when the owner of a group has time, once it was signalled.
    pub(super) fn home_has_until(&self, home: Owner) -> Option<Time> {
        match home {
            Owner::Root => self.root_until(),
            Owner::Service(id) => self.services.get(id.0).and_then(|service| service.stop_by),
            Owner::Group(_) => None,
        }
    }

    /// Until when a service that is signalled now, and its sessions, are waited for.
    fn time_from(&self, id: ServiceId, now: Time) -> Time {
        let own = self.service(id).spec.grace.map(|grace| now + grace);
        let step = self.stop.as_ref().map_or(now + self.allowance.grace, |stop| stop.schedule.ends(id));
        let ends = match own {
            Some(own) if self.stop.is_some() => own.min(step),
            Some(own) => own,
            None => step,
        };
        self.until(now, ends)
    }
}

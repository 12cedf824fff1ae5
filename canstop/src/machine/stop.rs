//! The request to stop, and the budget that it begins.

use std::collections::BTreeSet;
use std::time::Duration;

use super::action::Action;
use super::budget::{Allowance, FIRST_POLL};
use super::cause::Cause;
use super::event::Event;
use super::exit::Exit;
use super::id::{Owner, ServiceId};
use super::phase::Phase;
use super::schedule::Schedule;
use super::stage::Stage;
use super::state::{Main, State, Stop};
use super::time::Time;

impl State {
    /// The first request counts. Later ones can only make the exit graver.
    pub(super) fn request_stop(&mut self, now: Time, cause: Cause) {
        self.request_stop_since(now, cause, self.allowance);
    }

    /// The same for a request that was made at `requested`, a moment ago.
    pub(super) fn request_stop_since(&mut self, requested: Time, cause: Cause, mut allowance: Allowance) {
        if self.stop.is_some() {
            return;
        }
        self.refresh();
        if cause.is_failure() {
            self.exit = self.exit.max(Exit::Failed);
        }
        if let Cause::Signal(signal) = cause
            && self.services.is_empty()
        {
            self.exit = self.exit.max(Exit::Interrupted(signal));
        }
        self.abort_hand_over("a stop was requested");
        self.watch_sessions(true);
        self.actions.push(Action::BeginStop);
        // A drain delay helps only a program that is serving.
        if cause == Cause::Finished || !self.serves() {
            allowance.drain_delay = Duration::ZERO;
        }
        self.emit(Event::StopRequested {
            cause: cause.clone(),
            grace: allowance.grace,
            grace_source: self.sources.grace,
            drain_delay: allowance.drain_delay,
            drain_delay_source: self.sources.drain_delay,
        });
        let restarts_go_on = !allowance.drain_delay.is_zero();
        let is_over = |id: &ServiceId| match self.service(*id).stage {
            Stage::Planned => true,
            Stage::BackingOff { .. } => !restarts_go_on,
            Stage::Running { .. } | Stage::Over(_) => false,
        };
        let over: BTreeSet<_> = self.ids().filter(is_over).collect();
        let reserve = self.closing.reserve(allowance);
        self.stop = Some(Stop {
            requested,
            budget_begins: requested,
            allowance,
            reserve,
            cause,
            schedule: self.divide(allowance, reserve, requested, &over),
            plan_changed: false,
            root_until: None,
            teardown_until: None,
            next_waiting_line: Self::first_waiting_line(requested),
        });
        self.phase = Phase::DrainDelay;
        over.into_iter().for_each(|id| self.never_starts_again(id));
        // Their stop levels are known now.
        self.touch_all();
        self.shorten_promises();
        if self.main == Main::SettingUp {
            let mut root = self.family(Owner::Root).into_iter();
            if root.all(|owner| self.sessions(owner).alive == 0) {
                self.actions.push(Action::DropMain);
            } else {
                self.main = Main::Listening;
            }
        }
    }

    /// Divides the budget among the services that are left, without those that wait for a run and are about to be over.
    fn divide(&self, allowance: Allowance, reserve: Duration, begins: Time, over: &BTreeSet<ServiceId>) -> Schedule {
        let allowance = Allowance { grace: allowance.grace.saturating_sub(reserve), ..allowance };
        Schedule::divide(&self.plan, allowance, begins, &self.wants(over), self.main != Main::Ended)
    }

    /// The plan changed: if that was during the drain delay, the budget is divided once more when it is over.
    pub(super) fn divide_again(&mut self) {
        self.stop.iter_mut().for_each(|stop| stop.plan_changed = true);
    }

    /// Divides the budget once more, if the plan has changed since it was divided.
    pub(super) fn divide_anew(&mut self) {
        if let Some(Stop { allowance, reserve, budget_begins, plan_changed: true, .. }) = self.stop {
            let schedule = self.divide(allowance, reserve, budget_begins, &BTreeSet::new());
            self.stop.iter_mut().for_each(|stop| stop.schedule = schedule.clone());
            self.shorten_promises();
        }
    }

    pub(super) fn end_drain_delay(&mut self, now: Time) {
        self.stop.iter_mut().for_each(|stop| stop.schedule.end_drain_delay(now));
    }

    /// Gives time back in which the process did not run, up to the grace: to what is stopping, and to what
    /// is starting.
    pub(super) fn give_back(&mut self, span: Duration) {
        let span = span.min(self.allowance.grace.saturating_sub(self.given_back));
        if span.is_zero() {
            return;
        }
        self.given_back += span;
        self.hand_over.extend(span);
        if let Some(stop) = &mut self.stop {
            stop.budget_begins = stop.budget_begins + span;
            stop.schedule.extend(span);
            stop.teardown_until = stop.teardown_until.map(|until| until + span);
            if let Some(until) = &mut stop.root_until {
                *until = *until + span;
                self.actions.push(Action::StopRoot { until: *until });
            }
        }
        for id in self.ids() {
            let service = self.service_mut(id);
            if !service.was_ready {
                service.first_began = service.first_began.map(|began| began + span);
            }
            if let Some(until) = &mut service.stop_by {
                *until = *until + span;
                let (until, run) = (*until, service.run);
                if !self.is_itself_drained(id) {
                    self.actions.push(Action::StopService { id, run, until });
                }
            }
        }
        for group in 0..self.groups.len() {
            self.change_group(group, |group| group.stop_by = group.stop_by.map(|until| until + span));
        }
    }

    /// A service that was signalled alone may have more time than the whole program has, and so may its groups of
    /// sessions. These must not depend on the service's own end, which gives its state a little more time.
    fn shorten_promises(&mut self) {
        for id in self.ids() {
            let Some(until) = self.stop.as_ref().map(|stop| stop.schedule.ends(id)) else { return };
            if self.service(id).stop_by.is_some_and(|stop_by| stop_by > until) {
                let service = self.service_mut(id);
                service.stop_by = Some(until);
                let run = service.run;
                self.actions.push(Action::StopService { id, run, until });
                for group in self.groups_of(Owner::Service(id)).to_vec() {
                    let now = self.now;
                    self.change_group(group, |group| {
                        if let Some(own) = group.stop_by {
                            group.stop(now, until, own);
                        }
                    });
                }
            }
        }
    }

    /// Lets the control plane count sessions as long as their end is waited for.
    pub(super) fn watch_sessions(&mut self, watch: bool) {
        let watch = watch || self.stop.is_some();
        if self.watching != watch {
            self.watching = watch;
            self.actions.push(if watch { Action::WatchSessions } else { Action::UnwatchSessions });
        }
    }

    fn serves(&self) -> bool {
        self.main == Main::Listening || self.index.any_runs()
    }

    /// How long each service that is left would like to have for its own stop.
    fn wants(&self, over: &BTreeSet<ServiceId>) -> Vec<Option<Duration>> {
        let wanted =
            |id| self.service(id).spec.grace.unwrap_or_else(|| self.allowance.default_reserve()).max(FIRST_POLL);
        let mut wants = vec![None; self.services.len()];
        for id in self.ids().filter(|&id| self.has_to_stop(id, over.contains(&id))) {
            // Its parents stop after it.
            let mut next = Some(id);
            while let Some(id) = next.filter(|id| wants[id.0].is_none()) {
                wants[id.0] = Some(wanted(id));
                next = self.plan.parent(id);
            }
        }
        wants
    }

    /// Is there more left of a service of the plan than a state to drop, whatever is left of its children?
    fn has_to_stop(&self, id: ServiceId, is_over: bool) -> bool {
        let service = self.service(id);
        self.plan.contains(id)
            && (service.is_running()
                || service.waits_to_start() && !is_over
                || !self.are_sessions_drained(Owner::Service(id)))
    }
}

//! The stop, step by step, inside one budget.

use std::time::Duration;

use super::action::{Abandoned, Action};
use super::budget::{Allowance, FIRST_POLL};
use super::cause::Cause;
use super::event::Event;
use super::exit::Exit;
use super::id::{Owner, ServiceId};
use super::phase::Phase;
use super::schedule::Schedule;
use super::service::{Group, ServiceOutcome, Sessions, Stage};
use super::state::{Main, State, Stop};
use super::time::Time;

const WAITING_LINE_EVERY: Duration = Duration::from_secs(1);

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
        for id in self.ids() {
            match self.service(id).stage {
                Stage::Planned => self.end(id, ServiceOutcome::NeverStarted),
                Stage::BackingOff { .. } if !restarts_go_on => self.end(id, ServiceOutcome::Stopped),
                Stage::BackingOff { .. } | Stage::Running { .. } | Stage::Over(_) => {}
            }
        }
        let reserve = self.closing.reserve(allowance);
        self.stop = Some(Stop {
            requested,
            budget_begins: requested,
            allowance,
            reserve,
            cause,
            schedule: self.divide(allowance, reserve, requested),
            root_until: None,
            teardown_until: None,
            next_waiting_line: requested + WAITING_LINE_EVERY,
        });
        self.phase = Phase::DrainDelay;
        // Their stop levels are known now.
        self.touch_all();
        self.shorten_what_was_told();
        if self.main == Main::SettingUp {
            let mut root = self.family(Owner::Root).into_iter();
            if root.all(|owner| self.sessions(owner).alive == 0) {
                self.actions.push(Action::DropMain);
            } else {
                self.main = Main::Listening;
            }
        }
    }

    fn divide(&self, allowance: Allowance, reserve: Duration, begins: Time) -> Schedule {
        let allowance = Allowance { grace: allowance.grace.saturating_sub(reserve), ..allowance };
        Schedule::divide(&self.plan, allowance, begins, &self.wants(), self.main != Main::Ended)
    }

    /// The plan changed during the drain delay.
    pub(super) fn divide_anew(&mut self) {
        if let Some(Stop { allowance, reserve, budget_begins, .. }) = self.stop {
            let schedule = self.divide(allowance, reserve, budget_begins);
            self.stop.iter_mut().for_each(|stop| stop.schedule = schedule.clone());
            self.touch_all();
            self.shorten_what_was_told();
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

    /// Who was told to stop alone may have been promised more time than the whole program has. Its
    /// groups of sessions need no word: they are given up with it at the latest.
    fn shorten_what_was_told(&mut self) {
        for id in self.ids() {
            let Some(until) = self.stop.as_ref().map(|stop| stop.schedule.ends(id)) else { return };
            if self.service(id).stop_by.is_some_and(|stop_by| stop_by > until) {
                let service = self.service_mut(id);
                service.stop_by = Some(until);
                let run = service.run;
                self.actions.push(Action::StopService { id, run, until });
            }
        }
    }

    /// Lets the shell count sessions as long as somebody waits for their end.
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
    fn wants(&self) -> Vec<Option<Duration>> {
        let wanted =
            |id| self.service(id).spec.grace.unwrap_or_else(|| self.allowance.default_reserve()).max(FIRST_POLL);
        let mut wants = vec![None; self.services.len()];
        for id in self.ids().filter(|&id| self.has_to_stop(id)) {
            // Its parents stop after it.
            let mut next = Some(id);
            while let Some(id) = next.filter(|id| wants[id.0].is_none()) {
                wants[id.0] = Some(wanted(id));
                next = self.plan.parent(id);
            }
        }
        wants
    }

    /// Is there more left of it than a state to drop, whatever is left of its children?
    fn has_to_stop(&self, id: ServiceId) -> bool {
        let service = self.service(id);
        service.is_running() || service.waits_to_start() || !self.are_sessions_drained(Owner::Service(id))
    }

    /// Goes as far as it can: every step ends as soon as it is drained, or when its time is up.
    pub(super) fn proceed(&mut self, now: Time) {
        while self.ends_step(now) {}
        self.say_what_is_waited_for(now);
    }

    /// Ends the present step if it is over, and enters the next one.
    fn ends_step(&mut self, now: Time) -> bool {
        let Some(stop) = &self.stop else { return false };
        let budget = stop.schedule.budget();
        let (drain_delay_ends, last_level) = (budget.drain_delay_ends(), budget.last_level());
        match self.phase {
            Phase::DrainDelay => {
                self.abandon_overdue(now);
                if now < drain_delay_ends {
                    self.supervise_services(now);
                    self.refresh();
                    if self.index.any_waits_to_start() || !self.is_drained_up_to(usize::MAX) {
                        return false;
                    }
                }
                self.phase = Phase::Stopping(0);
                self.signal_root(now);
                self.ids().for_each(|id| self.never_starts_again(id));
                // From now on whatever is not drained holds up what stops after it.
                self.touch_all();
            }
            Phase::Stopping(level) => {
                // The last one is for whatever came late, too.
                let reach = if level < last_level { level } else { usize::MAX };
                self.stop_those(now, |state, id| state.level(id) <= reach);
                if !self.is_drained_up_to(reach) {
                    return false;
                }
                if level < last_level {
                    self.phase = Phase::Stopping(level + 1);
                    self.consider_level(level + 1, last_level);
                } else {
                    self.tear_down(now);
                }
            }
            Phase::TearingDown => {
                self.stop_those(now, |_, _| true);
                self.abandon_teardown(now);
                let ended = matches!(self.main, Main::Ended | Main::Abandoned);
                if !(ended && self.is_drained_up_to(usize::MAX)) {
                    return false;
                }
                self.begin_closing(now);
            }
            Phase::Flushing => return self.ends_flush(now),
            Phase::SettingUp | Phase::Running | Phase::Finished => return false,
        }
        true
    }

    fn consider_level(&mut self, level: usize, last_level: usize) {
        if level == last_level {
            return self.consider_stops(self.ids());
        }
        let of_level = self.stop.as_ref().map(|stop| stop.schedule.of_level(level).to_vec());
        self.consider_stops(of_level.into_iter().flatten());
    }

    fn signal_root(&mut self, now: Time) {
        if let Some(stop) = &mut self.stop {
            let budget = stop.schedule.budget();
            let until = budget.until(now, budget.level_ends(0));
            stop.root_until = Some(until);
            self.actions.push(Action::StopRoot { until });
        }
        self.tell_groups(now, Owner::Root);
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

    /// Stops those whose turn it is, each as soon as nobody needs it: who has used up its time is left
    /// behind, who was not told is told. Sessions may come after their service's turn, too.
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
                    self.tell_service(now, id);
                }
            }
        }
    }

    /// If it waits to be started, it waits no longer.
    fn never_starts_again(&mut self, id: ServiceId) {
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

    /// The step of the stop in which a service is signalled.
    pub(super) fn level(&self, id: ServiceId) -> usize {
        self.stop.as_ref().map_or(0, |stop| stop.schedule.level(id))
    }

    /// Its sessions hear it with it, also where the service itself is over already.
    fn tell_service(&mut self, now: Time, id: ServiceId) {
        let until = self.time_from(id, now);
        let service = self.service_mut(id);
        service.stop_by = Some(until);
        service.leaves_ready(now);
        let run = service.run;
        let runs = service.is_running();
        let cancel = service.spec.cancel;
        self.actions.push(Action::StopService { id, run, until });
        self.tell_groups(now, Owner::Service(id));
        if runs {
            self.emit(Event::ServiceStopping { service: self.name(id) });
        }
        if runs && cancel {
            self.actions.push(Action::Cancel { id, run });
        }
    }

    /// Takes in sessions with a grace of their own; their home may have been told already.
    pub(super) fn add_group(&mut self, now: Time, home: Owner, grace: Duration, cancels: bool) {
        let sessions = Sessions::default();
        let mut group = Group { home, grace, stop_by: None, cancels, cancelled: false, sessions };
        if let Some(until) = self.home_has_until(home) {
            group.stop(now, until, self.until(now, now + grace));
        }
        self.groups.push(group);
        self.index_group(self.groups.len() - 1);
    }

    fn tell_groups(&mut self, now: Time, home: Owner) {
        let Some(until) = self.home_has_until(home) else { return };
        for group in self.groups_of(home).to_vec() {
            let own = self.until(now, now + self.groups[group].grace);
            self.change_group(group, |group| group.stop(now, until, own));
        }
    }

    /// Until when the owner of a group has time, once it was told to stop.
    fn home_has_until(&self, home: Owner) -> Option<Time> {
        match home {
            Owner::Root => self.root_until(),
            Owner::Service(id) => self.services.get(id.0).and_then(|service| service.stop_by),
            Owner::Group(_) => None,
        }
    }

    /// Until when a service that is told now, and its sessions, are waited for.
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

    /// Is everything gone that should be by the end of this level?
    fn is_drained_up_to(&self, level: usize) -> bool {
        self.root_is_drained() && self.index.is_drained_up_to(level)
    }

    fn root_is_drained(&self) -> bool {
        self.are_sessions_drained(Owner::Root) && !matches!(self.main, Main::SettingUp | Main::Listening)
    }

    fn tear_down(&mut self, now: Time) {
        self.phase = Phase::TearingDown;
        if let Some(stop) = &mut self.stop {
            let budget = stop.schedule.budget();
            stop.teardown_until = Some(budget.until(now, budget.deadline()));
        }
        if self.main == Main::InRun {
            self.main = Main::TearingDown;
            self.actions.push(Action::ReturnFromRun);
        }
    }

    fn abandon_teardown(&mut self, now: Time) {
        let is_up = self.stop.as_ref().and_then(|stop| stop.teardown_until).is_some_and(|until| now >= until);
        if self.main == Main::TearingDown && is_up {
            self.main = Main::Abandoned;
            self.exit = self.exit.max(Exit::Abandoned);
            self.actions.push(Action::Abandon(Abandoned { main: true, ..Abandoned::default() }));
        }
    }

    fn say_what_is_waited_for(&mut self, now: Time) {
        let Some(stop) = self.stop.as_mut().filter(|stop| now >= stop.next_waiting_line) else {
            return;
        };
        if self.phase >= Phase::Flushing {
            return;
        }
        // A shell that was late owes one line, not all it missed.
        stop.next_waiting_line = now + WAITING_LINE_EVERY;
        let remaining = (stop.schedule.budget().deadline() + stop.reserve).since(now);
        let left = self.left();
        // Who was not told yet is not waited for.
        let is_stopping = |home| self.home_has_until(home).is_some();
        let home = |owner| if let Owner::Group(group) = owner { self.groups[group].home } else { owner };
        let services = left.services.iter().filter(|&&(id, _)| is_stopping(Owner::Service(id)));
        let sessions = left.sessions.iter().filter(|&&(owner, _)| is_stopping(home(owner)));
        self.emit(Event::Waiting {
            remaining,
            services: services.map(|&(id, _)| self.name(id)).collect(),
            sessions: sessions.map(|&(_, alive)| alive).sum(),
            main: left.main,
            // Requests are not the machine's.
            slowest: None,
        });
    }

    pub(super) fn stop_wakes_at(&self) -> Option<Time> {
        let stop = self.stop.as_ref()?;
        if let Some(until) = self.flush_until() {
            return Some(until);
        }
        let budget = stop.schedule.budget();
        let step_ends = match self.phase {
            Phase::DrainDelay => Some(budget.drain_delay_ends()),
            Phase::Stopping(_) | Phase::TearingDown if !self.root_is_drained() => stop.root_until,
            Phase::TearingDown => stop.teardown_until.filter(|_| self.main == Main::TearingDown),
            _ => None,
        };
        let restarts = self.index.next_restart().filter(|_| self.phase == Phase::DrainDelay);
        let ends = [step_ends, restarts, self.index.next_stop_end(), self.index.next_group_end()];
        ends.into_iter().flatten().chain([budget.hard_deadline(), stop.next_waiting_line]).min()
    }
}

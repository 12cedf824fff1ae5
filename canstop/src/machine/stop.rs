//! The stop, step by step, inside one budget.

use std::time::Duration;

use super::action::{Abandoned, Action};
use super::cause::Cause;
use super::event::Event;
use super::exit::Exit;
use super::id::{Owner, ServiceId};
use super::phase::Phase;
use super::schedule::Schedule;
use super::service::{Group, Service, Sessions};
use super::state::{Main, State, Stop};
use super::time::Time;

const WAITING_LINE_EVERY: Duration = Duration::from_secs(1);

impl State {
    /// The first request counts. What comes later can only make the exit graver.
    pub(super) fn request_stop(&mut self, now: Time, cause: Cause) {
        if self.stop.is_some() {
            return;
        }
        if cause.is_failure() {
            self.exit = self.exit.max(Exit::Failed);
        }
        self.watch_sessions(true);
        self.actions.push(Action::BeginStop);
        // A drain delay helps only a program that is serving.
        let mut allowance = self.allowance;
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
        // Nothing starts after a stop request.
        self.services.iter_mut().for_each(Service::never_starts_again);
        let teardown = self.main != Main::Ended;
        let schedule = Schedule::divide(&self.plan, allowance, now, &self.wants(), teardown);
        self.stop = Some(Stop { requested: now, cause, schedule, next_waiting_line: now + WAITING_LINE_EVERY });
        self.phase = Phase::DrainDelay;
        self.shorten_what_was_told();
        if self.main == Main::SettingUp {
            let mut edge = self.family(Owner::Root).into_iter();
            if edge.all(|owner| self.sessions(owner).alive == 0) {
                self.actions.push(Action::DropMain);
            } else {
                self.main = Main::Listening;
            }
        }
    }

    /// Who was told to stop alone may have been promised more time than the whole program has. Its
    /// groups of sessions need no word: they are given up with it at the latest.
    fn shorten_what_was_told(&mut self) {
        let Some(stop) = &self.stop else { return };
        for (id, service) in self.services.iter_mut().enumerate() {
            let id = ServiceId(id);
            let until = stop.schedule.ends(id);
            if service.stop_by.is_some_and(|stop_by| stop_by > until) {
                service.stop_by = Some(until);
                self.actions.push(Action::StopService { id, run: service.run, until });
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
        self.main == Main::Listening || self.services.iter().any(|service| service.is_running())
    }

    /// How long each service that is left would like to have for its own stop.
    fn wants(&self) -> Vec<Option<Duration>> {
        let wanted = |id| self.service(id).spec.grace.unwrap_or_else(|| self.allowance.default_reserve());
        self.ids().map(|id| (!self.is_drained(id)).then(|| wanted(id))).collect()
    }

    /// Goes as far as it can: every step ends as soon as it is drained, or when its time is up.
    pub(super) fn proceed(&mut self, now: Time) {
        while self.ends_step(now) {}
        self.say_what_is_waited_for(now);
    }

    /// MainChannels the present step if it is over, and enters the next one.
    fn ends_step(&mut self, now: Time) -> bool {
        let Some(stop) = &self.stop else { return false };
        let budget = stop.schedule.budget();
        let (drain_delay_ends, last_level, deadline) =
            (budget.drain_delay_ends(), budget.last_level(), budget.deadline());
        match self.phase {
            Phase::DrainDelay => {
                // Who was told to stop alone may be overdue by now.
                self.abandon_overdue(now);
                if now < drain_delay_ends && !self.is_drained_up_to(usize::MAX) {
                    return false;
                }
                self.phase = Phase::Stopping(0);
                self.actions.push(Action::StopRoot { until: self.front_ends() });
                self.tell_groups(now, Owner::Root);
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
                } else {
                    self.tear_down();
                }
            }
            Phase::TearingDown => {
                self.stop_those(now, |_, _| true);
                let ended = matches!(self.main, Main::Ended | Main::Abandoned);
                if now < deadline && !(ended && self.is_drained_up_to(usize::MAX)) {
                    return false;
                }
                self.finish();
            }
            Phase::SettingUp | Phase::Running | Phase::Finished => return false,
        }
        true
    }

    /// Until when the edge's sessions and the body of `main` are waited for.
    pub(super) fn front_ends(&self) -> Time {
        self.stop.as_ref().map_or(Time::default(), |stop| stop.schedule.budget().level_ends(0))
    }

    /// Stops those whose turn it is, each as soon as nobody needs it: who has used up its time is left
    /// behind, who was not told is told. Sessions may come after their service's turn, too.
    pub(super) fn stop_those(&mut self, now: Time, turn: impl Fn(&Self, ServiceId) -> bool) {
        loop {
            // That may be all that the next ones wait for.
            self.abandon_overdue(now);
            let is_next = |&id: &ServiceId| turn(self, id) && self.awaits_stop(id) && !self.is_needed(id);
            let next: Vec<_> = self.ids().filter(is_next).collect();
            if next.is_empty() {
                return;
            }
            for id in next {
                if self.is_to_end(id) {
                    self.service_mut(id).never_starts_again();
                }
                if self.is_not_stopping(id) {
                    self.tell_service(now, id);
                }
            }
        }
    }

    fn is_not_stopping(&self, id: ServiceId) -> bool {
        self.service(id).stop_by.is_none() && !self.is_itself_drained(id)
    }

    /// Is there something to do about its stop?
    fn awaits_stop(&self, id: ServiceId) -> bool {
        self.is_not_stopping(id) || self.service(id).waits_to_start() && self.is_to_end(id)
    }

    /// Does it end for good, alone or with the program?
    fn is_to_end(&self, id: ServiceId) -> bool {
        self.stop.is_some() || self.service(id).is_to_end()
    }

    /// Is something left of those that stop before it? While the program runs, they count if they are to
    /// stop as well: a new life disturbs only those that are bound to it.
    pub(super) fn is_needed(&self, id: ServiceId) -> bool {
        let stops = |other| self.stop.is_some() || self.service(other).request.is_some();
        self.plan.stop_order().stops_after(id).iter().any(|&other| stops(other) && !self.is_drained(other))
    }

    /// The step of the stop in which a service is told.
    fn level(&self, id: ServiceId) -> usize {
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
            group.stop(now, until);
        }
        self.groups.push(group);
    }

    fn tell_groups(&mut self, now: Time, home: Owner) {
        let Some(until) = self.home_has_until(home) else { return };
        for group in self.groups.iter_mut().filter(|group| group.home == home) {
            group.stop(now, until);
        }
    }

    /// Until when the owner of a group has time, once it was told to stop.
    fn home_has_until(&self, home: Owner) -> Option<Time> {
        match home {
            Owner::Root => (self.phase >= Phase::Stopping(0)).then(|| self.front_ends()),
            Owner::Service(id) => self.services.get(id.0).and_then(|service| service.stop_by),
            Owner::Group(_) => None,
        }
    }

    /// Until when a service that is told now, and its sessions, are waited for.
    fn time_from(&self, id: ServiceId, now: Time) -> Time {
        let own = self.service(id).spec.grace.map(|grace| now + grace);
        match &self.stop {
            Some(stop) => {
                let step = stop.schedule.ends(id);
                own.map_or(step, |own| own.min(step))
            }
            None => own.unwrap_or(now + self.allowance.grace),
        }
    }

    /// Is everything gone that should be by the end of this level?
    fn is_drained_up_to(&self, level: usize) -> bool {
        self.root_is_drained() && self.ids().all(|id| self.level(id) > level || self.is_drained(id))
    }

    fn root_is_drained(&self) -> bool {
        self.are_sessions_drained(Owner::Root) && !matches!(self.main, Main::SettingUp | Main::Listening)
    }

    fn tear_down(&mut self) {
        self.phase = Phase::TearingDown;
        if self.main == Main::InRun {
            self.main = Main::TearingDown;
            self.actions.push(Action::ReturnFromRun);
        }
    }

    /// By now everything has ended or was abandoned, but for a teardown without an end.
    fn finish(&mut self) {
        if self.main == Main::TearingDown {
            self.main = Main::Abandoned;
            self.exit = self.exit.max(Exit::Abandoned);
            self.actions.push(Action::Abandon(Abandoned { main: true, ..Abandoned::default() }));
        }
        self.phase = Phase::Finished;
        self.actions.push(Action::Finish);
    }

    fn say_what_is_waited_for(&mut self, now: Time) {
        let Some(stop) = self.stop.as_mut().filter(|stop| now >= stop.next_waiting_line) else {
            return;
        };
        if self.phase == Phase::Finished {
            return;
        }
        // A shell that was late owes one line, not all it missed.
        stop.next_waiting_line = now + WAITING_LINE_EVERY;
        let remaining = stop.schedule.budget().deadline().since(now);
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
        });
    }

    pub(super) fn stop_wakes_at(&self) -> Option<Time> {
        let stop = self.stop.as_ref()?;
        let budget = stop.schedule.budget();
        let step_ends = match self.phase {
            Phase::DrainDelay => budget.drain_delay_ends(),
            Phase::Stopping(_) | Phase::TearingDown if !self.root_is_drained() => self.front_ends(),
            _ => budget.deadline(),
        };
        let services_end = self.ids().filter_map(|id| self.time_ends(id));
        let groups_end = self.groups.iter().filter_map(Group::time_ends);
        services_end.chain(groups_end).chain([step_ends, stop.next_waiting_line]).min()
    }
}

//! The stop, step by step, inside one budget.

use std::time::Duration;

use super::action::{Abandoned, Action, Notice};
use super::budget::Budget;
use super::cause::Cause;
use super::exit::Exit;
use super::id::{Owner, ServiceId};
use super::phase::Phase;
use super::service::{Fate, Group, Stage};
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
        self.watch_sessions();
        self.actions.push(Action::BeginStop);
        self.tell(Notice::StopRequested { cause: cause.clone(), grace: self.allowance.grace });
        self.forget_what_never_starts();
        // Only those that serve need to be looked away from.
        let mut allowance = self.allowance;
        if cause == Cause::Finished || !self.serves() {
            allowance.drain_delay = Duration::ZERO;
        }
        let reserves = self.reserves();
        let teardown = self.main != Main::Ended;
        self.stop = Some(Stop {
            requested: now,
            cause,
            budget: Budget::divide(allowance, now, &reserves, teardown),
            next_waiting_line: now + WAITING_LINE_EVERY,
        });
        self.phase = Phase::DrainDelay;
        if self.main == Main::SettingUp {
            let mut edge = self.family(Owner::Edge).into_iter();
            if edge.all(|owner| self.sessions(owner).alive == 0) {
                self.actions.push(Action::DropMain);
            } else {
                self.main = Main::Listening;
            }
        }
    }

    pub(super) fn watch_sessions(&mut self) {
        if !self.watching {
            self.watching = true;
            self.actions.push(Action::WatchSessions);
        }
    }

    fn serves(&self) -> bool {
        self.main == Main::Listening || self.services.iter().any(|service| service.is_running())
    }

    /// Nothing starts after a stop request.
    fn forget_what_never_starts(&mut self) {
        for service in &mut self.services {
            match service.stage {
                Stage::Planned => service.stage = Stage::Over(Fate::NeverStarted),
                Stage::BackingOff { .. } => service.stage = Stage::Over(Fate::Stopped),
                Stage::Running { .. } | Stage::Over(_) => {}
            }
        }
    }

    /// What each dependency level keeps for itself: as much as the one in it that needs most.
    fn reserves(&self) -> Vec<Duration> {
        let mut reserves = Vec::new();
        for id in self.ids() {
            let service = self.service(id);
            let level = self.plan.level(id);
            if level == 0 || self.is_drained(id) {
                continue;
            }
            if reserves.len() < level {
                reserves.resize(level, Duration::ZERO);
            }
            let wanted = service.spec.grace.unwrap_or_else(|| self.allowance.default_reserve());
            reserves[level - 1] = wanted.max(reserves[level - 1]);
        }
        reserves
    }

    /// Goes as far as it can: every step ends as soon as it is drained, or when its time is up.
    pub(super) fn proceed(&mut self, now: Time) {
        while let Some(stop) = &self.stop {
            let budget = stop.budget.clone();
            match self.phase {
                Phase::DrainDelay => {
                    let nothing_serves = self.is_drained_up_to(budget.last_level());
                    if now < budget.drain_delay_ends() && !nothing_serves {
                        break;
                    }
                    self.enter_level(now, 0);
                }
                Phase::Stopping(level) => {
                    let time_is_up = now >= budget.level_ends(level);
                    self.abandon_late(now, level, time_is_up);
                    if !self.is_drained_up_to(level) {
                        break;
                    }
                    if level < budget.last_level() {
                        self.enter_level(now, level + 1);
                    } else {
                        self.tear_down();
                    }
                }
                Phase::TearingDown => {
                    let ended = matches!(self.main, Main::Ended | Main::Abandoned);
                    let drained = ended && self.is_drained_up_to(usize::MAX);
                    if !drained && now < budget.deadline() {
                        break;
                    }
                    self.finish();
                }
                Phase::SettingUp | Phase::Running | Phase::Finished => break,
            }
        }
        self.say_what_is_waited_for(now);
    }

    fn enter_level(&mut self, now: Time, level: usize) {
        self.phase = Phase::Stopping(level);
        if level == 0
            && let Some(stop) = &self.stop
        {
            self.actions.push(Action::TellEdge { until: stop.budget.level_ends(0) });
            self.tell_groups(now, Owner::Edge);
        }
        for id in self.ids() {
            let service = self.service(id);
            if self.plan.level(id) == level && service.told.is_none() && !self.is_drained(id) {
                self.tell_service(now, id);
            }
        }
    }

    /// Its sessions hear it with it, also where the service itself is over already.
    pub(super) fn tell_service(&mut self, now: Time, id: ServiceId) {
        let service = self.service_mut(id);
        service.told = Some(now);
        let generation = service.generation;
        let runs = service.is_running();
        let cancel = service.spec.cancel;
        let until = self.time_ends(id, now);
        self.actions.push(Action::TellService { id, generation, until });
        self.tell_groups(now, Owner::Service(id));
        if runs {
            self.tell(Notice::ServiceTold { id });
        }
        if runs && cancel {
            self.actions.push(Action::Cancel { id, generation });
        }
    }

    fn tell_groups(&mut self, now: Time, of: Owner) {
        for group in self.groups.iter_mut().filter(|group| group.home == of) {
            group.told = Some(now);
        }
    }

    /// Until when a service that is told now, and its sessions, are waited for.
    fn time_ends(&self, id: ServiceId, now: Time) -> Time {
        let own = self.service(id).spec.grace.map(|grace| now + grace);
        match &self.stop {
            Some(stop) => {
                let step = stop.budget.level_ends(self.plan.level(id));
                own.map_or(step, |own| own.min(step))
            }
            None => own.unwrap_or(now + self.allowance.grace),
        }
    }

    /// Is everything gone that should be by the end of this level?
    fn is_drained_up_to(&self, level: usize) -> bool {
        let main_is_out = !matches!(self.main, Main::SettingUp | Main::Listening);
        let sessions_are = |owner| self.level_of(owner) > level || self.sessions(owner).are_drained();
        let service_is = |id| self.plan.level(id) > level || !self.service(id).is_running();
        main_is_out && self.owners().all(sessions_are) && self.ids().all(service_is)
    }

    /// Leaves behind whatever has used up its time: all of this level and the earlier ones when the
    /// step is over, a service with a grace of its own when that is.
    fn abandon_late(&mut self, now: Time, level: usize, step_is_over: bool) {
        let mut abandoned = Abandoned::default();
        if step_is_over {
            self.abandon_main(&mut abandoned);
            self.abandon_sessions(Owner::Edge, &mut abandoned);
        }
        for id in self.ids() {
            let own_time_is_over = self.service(id).own_time_ends().is_some_and(|ends| now >= ends);
            if self.plan.level(id) <= level && (step_is_over || own_time_is_over) {
                self.abandon_service(id, &mut abandoned);
                self.abandon_sessions(Owner::Service(id), &mut abandoned);
            }
        }
        for group in 0..self.groups.len() {
            let own_time_is_over = self.groups[group].time_ends().is_some_and(|ends| now >= ends);
            if own_time_is_over && self.level_of(Owner::Group(group)) <= level {
                self.abandon_sessions(Owner::Group(group), &mut abandoned);
            }
        }
        if !abandoned.is_empty() {
            self.actions.push(Action::Abandon(abandoned));
        }
    }

    fn abandon_main(&mut self, abandoned: &mut Abandoned) {
        if matches!(self.main, Main::SettingUp | Main::Listening) {
            self.main = Main::Abandoned;
            self.exit = self.exit.max(Exit::Abandoned);
            self.actions.push(Action::DropMain);
            abandoned.main = true;
        }
    }

    pub(super) fn abandon_service(&mut self, id: ServiceId, abandoned: &mut Abandoned) {
        let service = self.service_mut(id);
        if service.is_running() {
            service.stage = Stage::Over(Fate::Abandoned);
            abandoned.services.push((id, service.generation));
            self.exit = self.exit.max(Exit::Abandoned);
        }
    }

    /// Gives up an owner's sessions, and those of the groups under it.
    pub(super) fn abandon_sessions(&mut self, owner: Owner, abandoned: &mut Abandoned) {
        for owner in self.family(owner) {
            let left = self.sessions_mut(owner).abandon();
            if left > 0 {
                abandoned.sessions.push((owner, left));
                self.exit = self.exit.max(Exit::Abandoned);
            }
        }
    }

    fn tear_down(&mut self) {
        self.phase = Phase::TearingDown;
        if self.main == Main::InRun {
            self.actions.push(Action::ReturnFromRun);
        }
    }

    /// Also names what came so late that no step waited for it, and a teardown without an end.
    fn finish(&mut self) {
        let mut abandoned = Abandoned::default();
        if self.main == Main::InRun {
            self.main = Main::Abandoned;
            self.exit = self.exit.max(Exit::Abandoned);
            abandoned.main = true;
        }
        for owner in self.owners() {
            self.abandon_sessions(owner, &mut abandoned);
        }
        if !abandoned.is_empty() {
            self.actions.push(Action::Abandon(abandoned));
        }
        self.phase = Phase::Finished;
        self.tell(Notice::Finished { exit: self.exit });
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
        let remaining = stop.budget.deadline().since(now);
        let left = self.left();
        self.tell(Notice::Waiting {
            remaining,
            services: left.services.iter().map(|&(id, _)| id).collect(),
            sessions: left.sessions.iter().map(|&(_, alive)| alive).sum(),
            main: left.main || self.phase == Phase::TearingDown && self.main == Main::InRun,
        });
    }

    pub(super) fn stop_wakes_at(&self) -> Option<Time> {
        let stop = self.stop.as_ref()?;
        let step_ends = match self.phase {
            Phase::DrainDelay => stop.budget.drain_delay_ends(),
            Phase::Stopping(level) => stop.budget.level_ends(level),
            _ => stop.budget.deadline(),
        };
        let own_time_ends = |id: ServiceId| self.service(id).own_time_ends().filter(|_| !self.is_drained(id));
        let groups = self.groups.iter().filter_map(Group::time_ends);
        self.ids().filter_map(own_time_ends).chain(groups).chain([step_ends, stop.next_waiting_line]).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::backoff::Jitter;
    use crate::machine::budget::Allowance;
    use crate::machine::cause::Signal;
    use crate::machine::event::Event;

    #[test]
    fn a_main_that_spawned_a_session_with_a_grace_of_its_own_is_not_dropped() {
        let allowance = Allowance { grace: Duration::from_secs(5), drain_delay: Duration::ZERO };
        let mut state = State::new(allowance, Jitter::seeded(1));
        let now = Time::after_start(Duration::ZERO);
        let _ = state.handle(now, Event::GroupAdded { home: Owner::Edge, grace: Duration::from_secs(1) });
        let _ = state.handle(now, Event::SessionsCounted(vec![(Owner::Edge, 0), (Owner::Group(0), 1)]));

        let actions = state.handle(now, Event::Signal(Signal::Terminate));
        assert!(!actions.iter().any(|action| matches!(action, Action::DropMain)), "{actions:?}");
    }
}

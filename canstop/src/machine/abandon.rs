//! Abandoning what has used up its time.

use super::action::{Abandoned, Action};
use super::exit::Exit;
use super::id::{Owner, ServiceId};
use super::service::Group;
use super::stage::{ServiceOutcome, Stage, UserState};
use super::state::{Main, State};
use super::time::Time;
use super::timer::Timer;

impl State {
    /// Abandons whatever has used up its time.
    pub(super) fn abandon_overdue(&mut self, now: Time) {
        let mut abandoned = Abandoned::default();
        self.refresh();
        if self.root_until().is_some_and(|until| now >= until) {
            self.abandon_main(&mut abandoned);
            self.abandon_sessions(Owner::Root, &mut abandoned);
        }
        for id in self.index.services_due(Timer::ServiceStop, now) {
            self.abandon_service(now, id, &mut abandoned);
            self.abandon_sessions(Owner::Service(id), &mut abandoned);
        }
        for group in self.index.timers.due(Timer::GroupStop, now) {
            if self.groups[group].cancels {
                self.change_group(group, |group| group.cancelled = true);
                self.actions.push(Action::CancelSessions { owner: Owner::Group(group) });
            } else {
                self.abandon_sessions(Owner::Group(group), &mut abandoned);
            }
        }
        let (main, services) = (abandoned.main, abandoned.services.clone());
        if !abandoned.is_empty() {
            self.actions.push(Action::Abandon(abandoned));
        }
        for (id, _) in services {
            // Its state goes too, but nothing waits for that any longer.
            if self.service(id).is_over() && self.service(id).user_state == UserState::Held {
                self.actions.push(Action::DropState { id });
                self.service_mut(id).user_state = UserState::Abandoned;
            }
        }
        if main {
            // After it was named: once it is dropped there is nothing left to see.
            self.actions.push(Action::DropMain);
        }
    }

    fn abandon_main(&mut self, abandoned: &mut Abandoned) {
        if matches!(self.main, Main::SettingUp | Main::Listening) {
            self.main = Main::Abandoned;
            self.exit = self.exit.max(Exit::Abandoned);
            abandoned.main = true;
        }
    }

    /// One that was to restart does so as soon as it may.
    fn abandon_service(&mut self, now: Time, id: ServiceId, abandoned: &mut Abandoned) {
        if !self.service(id).is_busy() {
            return;
        }
        abandoned.services.push((id, self.service(id).run));
        self.exit = self.exit.max(Exit::Abandoned);
        let service = self.service_mut(id);
        if service.user_state == UserState::Dropping {
            service.user_state = UserState::Abandoned;
            service.stage = Stage::Over(ServiceOutcome::Abandoned);
        } else if self.is_ending() || !self.service(id).is_to_restart() {
            self.service_mut(id).stage = Stage::Over(ServiceOutcome::Abandoned);
        } else {
            self.begin_pause(now, id);
        }
    }

    /// Cancels a group whose home is abandoned before its own time is up. It is no longer waited for.
    fn is_cancelled_instead(&mut self, owner: Owner) -> bool {
        let Owner::Group(index) = owner else { return false };
        let Group { cancels, cancelled, .. } = self.groups[index];
        let is_cancelled = cancels && !cancelled;
        if is_cancelled {
            self.change_group(index, |group| group.cancelled = true);
        }
        if is_cancelled && self.abandon_sessions_of(owner) > 0 {
            self.actions.push(Action::CancelSessions { owner });
        }
        is_cancelled
    }

    /// Abandons an owner's sessions, and those of the groups under it.
    fn abandon_sessions(&mut self, owner: Owner, abandoned: &mut Abandoned) {
        for owner in self.family(owner) {
            if self.is_cancelled_instead(owner) {
                continue;
            }
            let left = self.abandon_sessions_of(owner);
            if left > 0 {
                abandoned.sessions.push((owner, left));
                self.exit = self.exit.max(Exit::Abandoned);
            }
        }
    }
}

//! How the world reacts to the actions of the machine.

use super::script::specs;
use super::{End, Happening, Play, PredecessorScript, RunScript, SuccessorScript};
use crate::machine::action::Action;
use crate::machine::handover::{HandOverAction, HandOverInput};
use crate::machine::id::{Owner, RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::spec::Parent;
use crate::machine::tests::build::{ms, ready, state_dropped};

impl Play<'_> {
    pub(super) fn react(&mut self, action: Action) {
        match action {
            Action::Start { id, run } => self.begin(id, run),
            Action::StopService { id: ServiceId(id), run, .. } => {
                let script = self.scripts[id];
                if let Some(after) = script.obeys {
                    self.plan(ms(after), Happening::RunEnds(id, run, script.obeys_with.get()));
                }
                self.signal_sessions(Owner::Service(ServiceId(id)));
            }
            Action::RenewRoot => self.forget_abandoned(Owner::Root),
            Action::StopRoot { .. } => {
                self.signal_sessions(Owner::Root);
                if let Some(after) = self.world.main.obeys {
                    self.plan(ms(after), Happening::Input(Input::MainEnded(ExitReason::Done)));
                }
            }
            Action::Cancel { id: ServiceId(id), run } => self.abort(id, run),
            Action::Abandon(abandoned) => {
                for (ServiceId(id), run) in abandoned.services {
                    self.abort(id, run);
                }
                self.abandoned.extend(abandoned.sessions.into_iter().map(|(owner, _)| owner));
            }
            Action::DropMain => {
                if let Some(after) = self.world.main.drops_in {
                    self.plan(ms(after), Happening::Input(Input::MainEnded(ExitReason::Dropped)));
                }
            }
            Action::ReturnFromRun => {
                if let Some(after) = self.world.main.teardown {
                    self.plan(ms(after), Happening::Input(Input::MainEnded(self.world.main.reason.get())));
                }
            }
            Action::DropState { id: ServiceId(id) } => {
                let script = self.scripts[id];
                let run = self.watched.state.services()[id].run;
                let panic = script.drop_panics.then_some("poisoned");
                if let Some(after) = script.drops_in {
                    self.plan(ms(after), Happening::Input(state_dropped(id, run.0, panic)));
                }
            }
            Action::HandOver(action) => self.hand_over(&action),
            Action::WatchSessions
            | Action::UnwatchSessions
            | Action::BeginStop
            | Action::CancelSessions { .. }
            | Action::Emit(_)
            | Action::Flush
            | Action::AbandonFlush
            | Action::Finish
            | Action::ForceExit => {}
        }
    }

    fn hand_over(&mut self, action: &HandOverAction) {
        let (asked_for, predecessor) = (self.successor, self.world.predecessor);
        let mut plan = |after, input| self.plan(ms(after), Happening::Input(Input::HandOver(input)));
        let ended = |attempt| HandOverInput::SuccessorEnded { attempt, error: "exit status: 1".to_owned() };
        match *action {
            HandOverAction::Spawn { attempt } => {
                let SuccessorScript { spawned, ready, ends } = asked_for.expect("it was asked for");
                plan(spawned, HandOverInput::Spawned { attempt, pid: attempt });
                if let Some(ready) = ready {
                    plan(spawned + ready, HandOverInput::SuccessorReady { attempt });
                }
                if let Some(ends) = ends {
                    plan(spawned + ends, ended(attempt));
                }
            }
            HandOverAction::Kill { attempt } => plan(1, ended(attempt)),
            HandOverAction::Announce => {
                if let Some(PredecessorScript { stops: Some(stops), ends, .. }) = predecessor {
                    plan(stops, HandOverInput::TookOver);
                    plan(stops + ends, HandOverInput::PredecessorEnded);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, ServiceId(id): ServiceId, run: RunId) {
        let script = self.scripts[id];
        self.live[id] = Some(run);
        self.forget_abandoned(Owner::Service(ServiceId(id)));
        if let Some(after) = script.ready_after {
            self.plan(ms(after), Happening::Input(ready(id, run.0)));
        }
        let RunScript { lasts, end } = &script.runs[(run.0 as usize - 1) % script.runs.len()];
        if let Some(lasts) = lasts {
            self.plan(ms(*lasts), Happening::RunEnds(id, run, end.get()));
        }
        self.plan_children(id, run);
        let is_first = run == self.watched.state.services()[id].before.next();
        if is_first {
            for session in &script.sessions {
                let begins = Happening::SessionBegins(Owner::Service(ServiceId(id)), session.clone());
                self.plan(ms(session.at), begins);
            }
        }
    }

    /// Each run starts its own children.
    fn plan_children(&mut self, id: usize, run: RunId) {
        let script = self.scripts[id];
        let family = &script.children;
        let parent = Parent { id: ServiceId(id), run };
        let path = self.watched.state.services()[id].spec.name.clone();
        for ((after, mut spec), script) in specs(family, |at| at.to_string()).into_iter().zip(family) {
            spec.name = format!("{path}/{}", spec.name);
            spec.parent = Some(parent);
            self.plan(ms(after), Happening::Added(spec, script));
        }
    }

    /// Sessions that were abandoned before a run are not counted in it.
    fn forget_abandoned(&mut self, home: Owner) {
        let groups = self.groups.iter().enumerate();
        let mut family: Vec<_> =
            groups.filter(|(_, group)| group.0 == home).map(|(group, _)| Owner::Group(group)).collect();
        family.push(home);
        if !family.iter().any(|owner| self.abandoned.contains(owner)) {
            return;
        }
        self.abandoned.retain(|owner| !family.contains(owner));
        for session in self.sessions.iter_mut().filter(|session| family.contains(&session.owner)) {
            session.uncounted = true;
        }
        for group in self.groups.iter_mut().filter(|group| group.0 == home) {
            group.2 = false;
        }
    }

    /// The future is dropped at once or when its poll returns, which may be never.
    fn abort(&mut self, id: usize, run: RunId) {
        if let Some(after) = self.scripts[id].dies_in {
            self.plan(ms(after), Happening::RunEnds(id, run, ExitReason::Dropped));
        }
    }

    fn signal_sessions(&mut self, owner: Owner) {
        for session in 0..self.sessions.len() {
            let signalled = &self.sessions[session];
            let home = match signalled.owner {
                Owner::Group(group) => self.groups[group].0,
                owner => owner,
            };
            if let Some(after) = signalled.obeys.filter(|_| signalled.alive && home == owner) {
                self.plan(ms(after), Happening::SessionEnds(session));
            }
        }
    }
}

impl End {
    pub(super) fn get(self) -> ExitReason {
        match self {
            End::Done => ExitReason::Done,
            End::Failed => ExitReason::Failed("connection reset".to_owned()),
            End::Panicked => ExitReason::Panicked("out of range".to_owned()),
            End::Dropped => ExitReason::Dropped,
        }
    }
}

//! What the world makes of what the machine decides.

use super::{End, Happening, Life, Play};
use crate::machine::action::Action;
use crate::machine::event::{Ending, Event};
use crate::machine::id::{Generation, Owner, ServiceId};
use crate::machine::tests::build::ms;

impl Play<'_> {
    pub(super) fn react(&mut self, action: Action) {
        match action {
            Action::Start { id, generation } => self.begin(id, generation),
            Action::TellService { id: ServiceId(id), generation, .. } => {
                let script = &self.world.services[id];
                if let Some(after) = script.obeys {
                    self.plan(ms(after), Happening::LifeEnds(id, generation, script.obeys_with.get()));
                }
                self.sessions_hear(Owner::Service(ServiceId(id)));
            }
            Action::TellEdge { .. } => {
                self.sessions_hear(Owner::Edge);
                if let Some(after) = self.world.main.obeys {
                    self.plan(ms(after), Happening::Event(Event::MainEnded(Ending::Done)));
                }
            }
            Action::Cancel { id: ServiceId(id), generation } => self.abort(id, generation),
            Action::Abandon(abandoned) => {
                for (ServiceId(id), generation) in abandoned.services {
                    self.abort(id, generation);
                }
            }
            Action::DropMain => {
                if let Some(after) = self.world.main.drops_in {
                    self.plan(ms(after), Happening::Event(Event::MainEnded(Ending::Dropped)));
                }
            }
            Action::ReturnFromRun => {
                if let Some(after) = self.world.main.teardown {
                    self.plan(ms(after), Happening::Event(Event::MainEnded(self.world.main.ending.get())));
                }
            }
            Action::WatchSessions
            | Action::UnwatchSessions
            | Action::BeginStop
            | Action::Tell(_)
            | Action::Finish
            | Action::ForceExit => {}
        }
    }

    fn begin(&mut self, ServiceId(id): ServiceId, generation: Generation) {
        let script = &self.world.services[id];
        self.live[id] = Some(generation);
        if let Some(after) = script.ready_after {
            self.plan(ms(after), Happening::Event(Event::ServiceReady { id: ServiceId(id), generation }));
        }
        let Life { lasts, end } = &script.lives[(generation.0 as usize - 1) % script.lives.len()];
        if let Some(lasts) = lasts {
            self.plan(ms(*lasts), Happening::LifeEnds(id, generation, end.get()));
        }
        if generation == Generation(1) {
            for session in &script.sessions {
                let begins = Happening::SessionBegins(Owner::Service(ServiceId(id)), session.clone());
                self.plan(ms(session.at), begins);
            }
        }
    }

    /// Its future is dropped, at once or when it next lets go of its thread, which may be never.
    fn abort(&mut self, id: usize, generation: Generation) {
        if let Some(after) = self.world.services[id].dies_in {
            self.plan(ms(after), Happening::LifeEnds(id, generation, Ending::Dropped));
        }
    }

    fn sessions_hear(&mut self, owner: Owner) {
        for session in 0..self.sessions.len() {
            let heard = &self.sessions[session];
            let home = match heard.owner {
                Owner::Group(group) => self.groups[group].0,
                owner => owner,
            };
            if let Some(after) = heard.obeys.filter(|_| heard.alive && home == owner) {
                self.plan(ms(after), Happening::SessionEnds(session));
            }
        }
    }
}

impl End {
    pub(super) fn get(self) -> Ending {
        match self {
            End::Done => Ending::Done,
            End::Failed => Ending::Failed("connection reset".to_owned()),
            End::Panicked => Ending::Panicked("out of range".to_owned()),
            End::Dropped => Ending::Dropped,
        }
    }
}

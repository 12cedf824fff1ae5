//! Notes events, and what each of them obliges the machine to.

use std::time::Duration;

use super::seen::Seen;
use super::{Call, Oracle};
use crate::machine::event::{Ending, Event};
use crate::machine::exit::Exit;
use crate::machine::id::{Generation, ServiceId};
use crate::machine::plan::Reference;
use crate::machine::service::Fate;

impl Oracle {
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Wake => {}
            &Event::GroupAdded { home, grace } => self.note_group(home, grace),
            Event::Signal(_) => self.note_signal(),
            Event::ShutdownRequested { .. } => self.call.must_stop = true,
            Event::MainListens => self.main.listens |= self.main.is_before_run(),
            Event::ServiceAdded(spec) => {
                let mut seen = Seen::new(spec);
                if self.stop.is_some() {
                    seen.fate = Some(Fate::NeverStarted);
                }
                self.call.added = Some(self.services.len());
                self.services.push(seen);
                self.resolve();
            }
            Event::RunCalled => {
                if self.main.is_before_run() {
                    self.main.in_run = true;
                    self.running = true;
                }
            }
            Event::MainEnded(ending) => self.note_main_ended(ending),
            &Event::ServiceReady { id, generation } => self.note_ready(id, generation),
            Event::ServiceEnded { id, generation, ending } => self.note_ended(*id, *generation, ending),
            Event::StopService(ServiceId(id)) => self.services[*id].asked_to_stop = true,
            Event::SessionsCounted(counts) => {
                for &(owner, alive) in counts {
                    self.sessions_mut(owner).alive = alive;
                }
            }
        }
    }

    fn note_signal(&mut self) {
        self.call.signal = true;
        match self.first_signal {
            None => {
                self.first_signal = Some(self.call.now);
                self.call.must_stop = true;
            }
            Some(first) => self.call.must_force = self.call.now.since(first) > Duration::from_millis(100),
        }
    }

    fn note_main_ended(&mut self, ending: &Ending) {
        if self.main.ended || self.main.abandoned {
            return;
        }
        if ending.error().is_some() {
            self.exit = self.exit.max(Exit::Failed);
            self.call.main_failed = true;
            self.call.must_stop = true;
        }
        self.call.must_stop |= self.main.in_run;
        self.main.ended = true;
        self.running = true;
    }

    fn note_ready(&mut self, ServiceId(id): ServiceId, generation: Generation) {
        let seen = &mut self.services[id];
        if seen.live && seen.generation == generation {
            self.call.ready = Some(id).filter(|_| !seen.ready);
            seen.ready = true;
            seen.was_ready = true;
        } else {
            self.note_stale();
        }
    }

    fn note_ended(&mut self, ServiceId(id): ServiceId, generation: Generation, ending: &Ending) {
        let seen = &mut self.services[id];
        if seen.live && seen.generation == generation {
            seen.live = false;
            self.call.ended = Some((id, ending.clone()));
        } else {
            self.note_stale();
        }
    }

    /// What is late changes nothing, unless something else is due as well.
    fn note_stale(&mut self) {
        let Call { now, stale, .. } = &mut self.call;
        *stale = self.wake_at.is_none_or(|wake_at| *now < wake_at);
    }

    /// Finds out who needs whom.
    pub(super) fn resolve(&mut self) {
        self.needs = (0..self.services.len()).map(|id| self.needs_of(id)).collect();
    }

    fn needs_of(&self, id: usize) -> Vec<usize> {
        let seen = &self.services[id];
        if seen.refused {
            return Vec::new();
        }
        let is_named = |other: &usize| {
            let other = &self.services[*other];
            !other.refused && seen.spec.after.contains(&Reference::Name(other.spec.name.clone()))
        };
        (0..self.services.len()).filter(is_named).collect()
    }

    pub(super) fn dependents(&self, id: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.needs.len()).filter(move |&dependent| self.needs[dependent].contains(&id))
    }

    /// Who was asked to stop, or needs one that was.
    pub(super) fn to_stop(&self) -> Vec<bool> {
        let mut to_stop: Vec<_> = self.services.iter().map(|seen| seen.asked_to_stop).collect();
        if !to_stop.contains(&true) {
            return to_stop;
        }
        for _ in 0..to_stop.len() {
            for (dependent, needs) in self.needs.iter().enumerate() {
                to_stop[dependent] |= needs.iter().any(|&need| to_stop[need]);
            }
        }
        to_stop
    }

    /// How many steps each stands above the edge.
    pub(super) fn levels(&self) -> Vec<usize> {
        let mut levels = vec![0; self.needs.len()];
        for _ in 0..levels.len() {
            for (dependent, needs) in self.needs.iter().enumerate() {
                for &need in needs {
                    levels[need] = levels[need].max(levels[dependent] + 1);
                }
            }
        }
        levels
    }
}

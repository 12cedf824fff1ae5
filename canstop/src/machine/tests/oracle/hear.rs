//! Notes events, and what each of them obliges the machine to.

use std::time::Duration;

use super::seen::Seen;
use super::{Call, Oracle};
use crate::machine::event::{Ending, Event};
use crate::machine::exit::Exit;
use crate::machine::id::{Generation, ServiceId};
use crate::machine::service::Fate;
use crate::machine::spec::ServiceSpec;
use crate::machine::time::Time;

impl Oracle {
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Wake => {}
            &Event::GroupAdded { home, grace } => self.note_group(home, grace),
            Event::Signal(_) => self.note_signal(),
            Event::ShutdownRequested { .. } => self.call.must_stop = true,
            Event::MainListens => self.main.listens |= self.main.is_before_run(),
            Event::ServiceAdded(spec) => self.note_added(spec),
            Event::RunCalled => {
                if self.main.is_before_run() {
                    self.main.in_run = true;
                    self.running = true;
                }
            }
            Event::MainEnded(ending) => self.note_main_ended(ending),
            &Event::ServiceReady { id, generation } => self.note_ready(id, generation),
            Event::ServiceEnded { id, generation, ending } => self.note_ended(*id, *generation, ending),
            &Event::StopService { id, before } => {
                if let Some(seen) = self.services.get_mut(id.0).filter(|seen| seen.before == before) {
                    seen.asked_to_stop = true;
                }
            }
            &Event::RestartService { id, before } => self.note_restart(id.0, before),
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

    /// It takes the number of one of its name that is gone for good.
    fn note_added(&mut self, spec: &ServiceSpec) {
        let is_gone = |id: &usize| self.services[*id].fate.is_some() && self.is_drained(*id);
        let gone = (0..self.services.len()).find(|id| self.services[*id].spec.name == spec.name && is_gone(id));
        let before = gone.map_or(Generation::default(), |id| self.services[id].generation);
        let mut seen = Seen::new(spec, before);
        if self.stop.is_some() {
            seen.fate = Some(Fate::NeverStarted);
        }
        match gone {
            Some(id) => {
                self.services[id] = seen;
                self.groups_begin_anew(id);
            }
            None => self.services.push(seen),
        }
        let id = gone.unwrap_or(self.services.len() - 1);
        self.call.added = Some(id);
        if self.stop.is_some() {
            // It never starts, and so disturbs nobody's order.
            self.resolve([]);
        } else if self.running {
            // Nor does what comes later.
            self.resolve([id]);
        } else {
            self.resolve(0..self.services.len());
        }
    }

    fn note_restart(&mut self, id: usize, before: Generation) {
        let now = self.call.now;
        let Some(seen) = self.services.get_mut(id).filter(|seen| seen.before == before) else { return };
        if self.stop.is_some() {
            return;
        }
        if seen.live {
            seen.restarts = seen.restarts.max(Some(now));
            self.restart_bound(id, now);
        } else if let Some(restart_at) = &mut seen.restart_at {
            *restart_at = now;
        }
    }

    /// Whoever is bound to it begins a new life with it.
    pub(super) fn restart_bound(&mut self, id: usize, not_before: Time) {
        for bound in self.restarts_with(id) {
            let seen = &mut self.services[bound];
            if seen.live || seen.restart_at.is_some() {
                seen.restarts = seen.restarts.max(Some(not_before));
            }
        }
    }
}

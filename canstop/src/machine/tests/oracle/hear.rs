//! Notes events, and what each of them obliges the machine to.

use std::time::Duration;

use super::seen::Seen;
use super::{Call, Oracle};
use crate::machine::exit::Exit;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::service::ServiceOutcome;
use crate::machine::spec::ServiceSpec;
use crate::machine::time::Time;

impl Oracle {
    pub(super) fn note(&mut self, event: &Input) {
        match event {
            Input::Wake => {}
            &Input::GroupAdded { home, grace, .. } => self.note_group(home, grace),
            Input::Signal { .. } => self.note_signal(),
            Input::ShutdownRequested { .. } => self.call.must_stop = true,
            Input::MainListens => self.main.listens |= self.main.is_before_run(),
            Input::ServiceAdded(spec) => self.note_added(spec),
            Input::RunCalled => {
                if self.main.is_before_run() {
                    self.main.in_run = true;
                    self.running = true;
                }
            }
            Input::MainEnded(reason) => self.note_main_ended(reason),
            Input::HoldReadiness { hold, .. } => self.held.push(*hold),
            Input::ReleaseReadiness { hold } => self.held.retain(|known| known != hold),
            Input::Frozen { .. } | Input::SetGrace(_) | Input::StateDropped { .. } => {}
            &Input::ServiceReady { id, run, .. } => self.note_ready(id, run),
            Input::ServiceEnded { id, run, reason } => self.note_ended(*id, *run, reason),
            &Input::StopService { id, before } => {
                if let Some(seen) = self.services.get_mut(id.0).filter(|seen| seen.before == before) {
                    seen.asked_to_stop = true;
                }
            }
            &Input::RestartService { id, before } => self.note_restart(id.0, before),
            Input::SessionsCounted(counts) => {
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

    fn note_main_ended(&mut self, reason: &ExitReason) {
        if self.main.ended || self.main.abandoned {
            return;
        }
        if reason.error().is_some() {
            self.exit = self.exit.max(Exit::Failed);
            self.call.main_failed = true;
            self.call.must_stop = true;
        }
        self.call.must_stop |= self.main.in_run;
        self.main.ended = true;
        self.running = true;
    }

    fn note_ready(&mut self, ServiceId(id): ServiceId, run: RunId) {
        let seen = &mut self.services[id];
        if seen.live && seen.run == run {
            self.call.ready = Some(id).filter(|_| !seen.ready);
            seen.ready = true;
            seen.was_ready = true;
        } else {
            self.note_stale();
        }
    }

    fn note_ended(&mut self, ServiceId(id): ServiceId, run: RunId, reason: &ExitReason) {
        let seen = &mut self.services[id];
        if seen.live && seen.run == run {
            seen.live = false;
            self.call.ended = Some((id, reason.clone()));
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
        let is_gone = |id: &usize| self.services[*id].outcome.is_some() && self.is_drained(*id);
        let gone = (0..self.services.len()).find(|id| self.services[*id].spec.name == spec.name && is_gone(id));
        let before = gone.map_or(RunId::default(), |id| self.services[id].run);
        let mut seen = Seen::new(spec, before);
        if self.stop.is_some() {
            seen.outcome = Some(ServiceOutcome::NeverStarted);
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

    fn note_restart(&mut self, id: usize, before: RunId) {
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

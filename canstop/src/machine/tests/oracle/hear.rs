//! Notes events, and what each of them obliges the machine to.

use std::time::Duration;

use super::seen::Seen;
use super::{Call, Oracle};
use crate::machine::exit::Exit;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::phase::Phase;
use crate::machine::service::ServiceOutcome;
use crate::machine::spec::{Ready, ServiceSpec};
use crate::machine::time::Time;

impl Oracle {
    pub(super) fn note(&mut self, event: &Input) {
        match event {
            Input::Wake => {}
            &Input::GroupAdded { home, grace, .. } => self.note_group(home, grace),
            &Input::Signal { at, from_terminal, .. } => self.note_signal(at, from_terminal),
            Input::ShutdownRequested { .. } => self.call.must_stop = true,
            Input::MainListens => self.main.listens |= self.main.is_before_run(),
            Input::ServiceAdded(spec) => self.note_added(spec),
            Input::RunCalled => {
                if self.main.is_before_run() {
                    self.main.in_run = true;
                    self.running |= self.stop.is_none();
                }
            }
            Input::MainEnded(reason) => self.note_main_ended(reason),
            &Input::Frozen { span } => self.note_frozen(span),
            &Input::SetGrace(grace) => {
                if self.stop.is_none() {
                    self.allowance.grace = grace;
                }
            }
            Input::StateDropped { id, run, panic } => self.note_state_dropped(id.0, *run, panic.is_some()),
            Input::FlushHookAdded => self.hooks += 1,
            Input::Flushed { panic, .. } => {
                self.hooks -= 1;
                self.call.flush_failed = panic.is_some();
            }
            Input::Kept => self.keeps = true,
            Input::HoldReadiness { hold, .. } => self.held.push(*hold),
            Input::ReleaseReadiness { hold } => self.held.retain(|known| known != hold),
            &Input::ServiceReady { id, run, .. } => self.note_ready(id, run),
            Input::ServiceEnded { id, run, reason } => self.note_ended(*id, *run, reason),
            &Input::StopService { id, before } => {
                if let Some(seen) = self.services.get_mut(id.0).filter(|seen| seen.before == before) {
                    seen.asked_to_stop = true;
                }
            }
            &Input::RestartService { id, before } => self.note_restart(id.0, before),
            Input::HandOver(input) => self.note_hand_over(input),
            Input::SessionsCounted(counts) => {
                for &(owner, alive) in counts {
                    self.sessions_mut(owner).alive = alive;
                }
            }
        }
    }

    fn note_signal(&mut self, at: Time, from_terminal: bool) {
        let at = at.min(self.call.now);
        self.call.signal = true;
        if self.last_signal.is_some_and(|last| at.since(last) <= Duration::from_millis(100)) {
            return;
        }
        let is_first = self.last_signal.replace(at).is_none();
        self.call.delivered = Some(at);
        self.call.from_terminal = from_terminal;
        self.call.must_stop = true;
        if self.stop.is_some() && self.phase == Phase::DrainDelay {
            let now = self.call.now;
            if let Some(stop) = self.stop.as_mut().filter(|_| !is_first || from_terminal) {
                stop.drain_ends = stop.drain_ends.min(now);
            }
        } else {
            self.call.must_force = !is_first;
        }
    }

    /// What was promised is promised for later.
    fn note_frozen(&mut self, span: Duration) {
        let span = span.min(self.allowance.grace.saturating_sub(self.given_back));
        self.given_back += span;
        self.call.gave_back = true;
        self.extend_hand_over(span);
        if let Some(stop) = &mut self.stop {
            for time in [&mut stop.deadline, &mut stop.drain_ends, &mut stop.front_ends, &mut stop.begins] {
                *time = *time + span;
            }
            stop.teardown_until = stop.teardown_until.map(|until| until + span);
        }
        self.edge_told = self.edge_told.map(|until| until + span);
        for seen in &mut self.services {
            seen.stop_by = seen.stop_by.map(|until| until + span);
        }
        for group in &mut self.groups {
            group.stop_by = group.stop_by.map(|until| until + span);
        }
    }

    fn note_state_dropped(&mut self, id: usize, run: RunId, panicked: bool) {
        let Some(seen) = self.services.get_mut(id).filter(|seen| seen.run == run && seen.drop_asked) else {
            return self.note_stale();
        };
        if std::mem::replace(&mut seen.state_dropped, true) {
            return self.note_stale();
        }
        if std::mem::replace(&mut seen.dropping, false) && panicked {
            seen.outcome = Some(ServiceOutcome::Failed);
            self.call.state_panicked = Some(id);
            if !seen.spec.optional {
                self.call.must_stop |= seen.stop_by.is_none();
                self.exit = self.exit.max(Exit::Failed);
            }
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
        self.running |= self.stop.is_none() && reason.error().is_none();
    }

    fn note_ready(&mut self, ServiceId(id): ServiceId, run: RunId) {
        let seen = &mut self.services[id];
        if !seen.live || seen.run != run {
            self.note_stale();
        } else if seen.spec.ready == Ready::Notify {
            self.call.ready = Some(id).filter(|_| !seen.ready);
            seen.ready = true;
            seen.was_ready = true;
        } else if !std::mem::replace(&mut seen.ready_ignored, true) {
            self.call.ready_ignored = Some(id);
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
        let is_gone = |id: &usize| self.services[*id].state_dropped && self.is_drained(*id);
        let gone = (0..self.services.len()).find(|id| self.services[*id].spec.name == spec.name && is_gone(id));
        let before = gone.map_or(RunId::default(), |id| self.services[id].run);
        let mut seen = Seen::new(spec, before);
        let restarted = self.is_restarted_with_its_parent(spec);
        let never_starts = self.stop.is_some() && !restarted;
        if never_starts {
            seen.outcome = Some(ServiceOutcome::NeverStarted);
            seen.late = gone.is_none();
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
        if never_starts {
            // It never starts, and so disturbs nobody's order.
            self.resolve([]);
        } else if self.running {
            // Nor does what comes later.
            self.resolve([id]);
        } else {
            self.resolve(0..self.services.len());
        }
        if !never_starts {
            self.divide_anew();
        }
    }

    /// During the drain delay a parent that was restarted starts its children.
    pub(super) fn is_restarted_with_its_parent(&self, spec: &ServiceSpec) -> bool {
        let Some((parent, stop)) = spec.parent.zip(self.stop.as_ref()) else { return false };
        let seen = &self.services[parent.id.0];
        let requested = stop.requested;
        self.phase == Phase::DrainDelay && seen.live && seen.run == parent.run && seen.began >= requested
    }

    fn note_restart(&mut self, id: usize, before: RunId) {
        let now = self.call.now;
        let Some(seen) = self.services.get_mut(id).filter(|seen| seen.before == before) else { return };
        if self.phase > Phase::DrainDelay {
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

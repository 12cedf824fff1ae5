//! Notes inputs, and what each obliges the machine to do.

use std::time::Duration;

use super::seen::{Seen, Stop};
use super::{Call, Oracle};
use crate::machine::exit::Exit;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::phase::Phase;
use crate::machine::spec::{Ready, ServiceSpec};
use crate::machine::stage::ServiceOutcome;
use crate::machine::time::Time;

impl Oracle {
    pub(super) fn note(&mut self, event: &Input, id: Option<ServiceId>) {
        match event {
            Input::Wake => {}
            &Input::GroupAdded { home, grace, .. } => self.note_group(home, grace),
            &Input::Signal { at, from_terminal, .. } => self.note_signal(at, from_terminal),
            Input::ShutdownRequested { .. } => self.call.must_stop = true,
            Input::MainListens => self.main.listens |= self.main.is_before_run(),
            Input::ServiceAdded(spec) => self.note_added(spec, id.map_or(usize::MAX, |id| id.0)),
            Input::RunCalled => {
                if self.main.is_before_run() {
                    self.main.in_run = true;
                    self.note_running();
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

    /// Every promised time moves by the span.
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
        self.root_stop_by = self.root_stop_by.map(|until| until + span);
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
        if reason.error().is_none() {
            self.note_running();
        }
    }

    /// The plan is made when services begin to run, by `run()` or the end of `main`.
    fn note_running(&mut self) {
        if self.running || self.stop.is_some() {
            return;
        }
        self.running = true;
        self.call.plans = true;
        self.services.iter_mut().for_each(|seen| seen.planned = true);
        self.resolve(0..self.services.len());
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

    /// An outdated input changes nothing, unless a timer is due in the same call.
    fn note_stale(&mut self) {
        let Call { now, stale, .. } = &mut self.call;
        *stale = self.wake_at.is_none_or(|wake_at| *now < wake_at);
    }

    /// A service that can start joins the plan, at once if the program runs.
    fn note_added(&mut self, spec: &ServiceSpec, id: usize) {
        let is_late = self.is_late(spec);
        self.call.wrong_id = self.fault_of_id(spec, id, is_late);
        if self.call.wrong_id.is_some() {
            return;
        }
        self.call.added = Some(id);
        let mut seen = Seen::new(spec, self.services.get(id));
        seen.outcome = is_late.then_some(ServiceOutcome::NeverStarted);
        seen.planned = self.running && !is_late;
        if id < self.services.len() {
            self.leave_inside(id);
            self.call.named_before = (self.after[id].clone(), self.bound_to[id].clone());
            self.services[id] = seen;
            self.forget_group_signals(id);
        } else {
            self.services.push(seen);
        }
        // A service that is added later does not change what the others name.
        self.resolve([id]);
        if let Some(stop) = self.stop.as_mut().filter(|_| !is_late) {
            stop.plan_changed = true;
            stop.reserved.get_mut(id).into_iter().for_each(|reserved| *reserved = Duration::ZERO);
        }
    }

    /// A service may take the id of an earlier one only when nothing can refer to that one.
    fn fault_of_id(&self, spec: &ServiceSpec, id: usize, is_late: bool) -> Option<String> {
        if id == self.services.len() {
            return None;
        }
        let Some(gone) = self.services.get(id) else { return Some(format!("there is no id {id}")) };
        if !(gone.state_dropped && self.is_drained(id)) {
            return Some(format!("`{}` takes the id of `{}`, which is not gone", spec.name, gone.spec.name));
        }
        if is_late && gone.planned {
            return Some(format!("`{}` never starts, and takes the id of `{}`", spec.name, gone.spec.name));
        }
        let are_children = spec.parent.is_some() && gone.spec.parent.is_some();
        let is_free = are_children && spec.location == gone.spec.location && !self.is_named(id);
        let is_same = spec.name == gone.spec.name;
        (!is_same && !is_free).then(|| format!("`{}` takes the id of `{}`", spec.name, gone.spec.name))
    }

    /// Returns true if it is too late to start it: a stop was requested, or its parent's run is over. A parent that
    /// restarts during the drain delay still starts its children.
    pub(super) fn is_late(&self, spec: &ServiceSpec) -> bool {
        let Some(parent) = spec.parent else { return self.stop.is_some() };
        let seen = &self.services[parent.id.0];
        let is_alive = seen.live && seen.run == parent.run;
        let is_new = |stop: &Stop| self.phase == Phase::DrainDelay && seen.began >= stop.requested;
        !(is_alive && self.stop.as_ref().is_none_or(is_new))
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

    /// The services that are bound to it restart with it.
    pub(super) fn restart_bound(&mut self, id: usize, not_before: Time) {
        for bound in self.restarts_with(id) {
            let seen = &mut self.services[bound];
            if seen.live || seen.restart_at.is_some() {
                seen.restarts = seen.restarts.max(Some(not_before));
            }
        }
    }
}

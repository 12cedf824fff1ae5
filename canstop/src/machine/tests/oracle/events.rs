//! Judges the events that the machine emits.

use std::time::Duration;

use super::seen::{Seen, Stop};
use super::sessions::{FIRST_POLL, TAIL};
use super::{Broken, Oracle, law};
use crate::machine::cause::Cause;
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::input::ExitReason;
use crate::machine::restart::Restart;
use crate::machine::spec::Start;
use crate::machine::stage::{Request, ServiceOutcome};

impl Oracle {
    pub(super) fn judge_event(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::ServiceStarted { service, run } => {
                let seen = self.subject(service)?;
                law!(seen.live && seen.run.0 - seen.before_name.0 == *run, "`{service}` is reported as started");
            }
            Event::ServiceReady { service } => {
                if let Some(id) = self.call.ready.take() {
                    self.call.subject = Some(id);
                }
                let seen = self.subject(service)?;
                law!(seen.live && seen.ready, "`{service}` is reported as ready");
            }
            Event::ServiceStopping { service } => {
                let seen = self.subject(service)?;
                law!(seen.live && seen.stop_by.is_some(), "`{service}` is reported as stopping");
            }
            Event::ServiceEnded { service, reason, restart_in } => {
                return self.judge_ended(service, reason, *restart_in);
            }
            Event::ReadyIgnored { service, .. } => {
                self.call.subject = self.call.ready_ignored.take();
                self.subject(service)?;
            }
            Event::StatePanicked { service, .. } => {
                self.call.subject = self.call.state_panicked.take();
                self.subject(service)?;
            }
            Event::ServiceLost { service } => {
                let seen = self.subject(service)?;
                law!(seen.outcome == Some(ServiceOutcome::Lost), "`{service}` is reported as lost");
            }
            Event::ServiceRefused { service, .. } => {
                law!(self.running, "`{service}` is refused before run()");
                self.call.subject = self.call.added;
                self.subject(service)?;
                let Some(id) = self.call.added else { unreachable!("it is the subject") };
                self.services[id].refused = true;
                self.services[id].outcome = Some(ServiceOutcome::Refused);
                (self.after[id], self.bound_to[id]) = std::mem::take(&mut self.call.named_before);
                if !self.is_named(id) {
                    self.leave(id);
                }
                self.resolve([]);
            }
            Event::FlushFailed { .. } => {
                law!(self.call.flush_failed, "a hook is reported as failed");
                self.exit = self.exit.max(Exit::Failed);
            }
            Event::MainFailed { .. } => law!(self.call.main_failed, "main is reported as failed"),
            Event::StopRequested { cause, grace, drain_delay, .. } => {
                law!(self.stop.is_none(), "a second stop is requested");
                law!(*grace == self.allowance.grace, "the grace is reported as {grace:?}");
                let (delay, allowed) = (*drain_delay, self.allowance.drain_delay);
                law!(delay.is_zero() || delay == allowed, "the drain delay is reported as {delay:?}");
                if let Cause::HandedOver { pid } = cause {
                    self.judge_handed_over(*pid)?;
                }
                self.note_stop(cause);
            }
            // These are judged with the actions beside them.
            Event::HandOverStarted { .. }
            | Event::HandOverRefused { .. }
            | Event::HandOverFailed { .. }
            | Event::TookOver { .. }
            | Event::PredecessorEnded { .. } => {}
            Event::DuplicateSignal { .. } => law!(self.call.signal, "a duplicate signal is reported without a signal"),
            Event::SignalHandlerReplaced { .. } | Event::ServicesNotLinked { .. } => {
                return Err(Broken("only the control plane knows of signal handlers and links".to_owned()));
            }
            Event::Waiting { remaining, .. } => {
                let now = self.call.now;
                let Some(stop) = &mut self.stop else {
                    return Err(Broken("a waiting line without a stop".to_owned()));
                };
                let apart = now.since(stop.last_waiting_line);
                law!(apart >= Duration::from_secs(1), "two waiting lines are {apart:?} apart");
                law!(*remaining == stop.deadline.since(now), "{remaining:?} are reported to remain");
                stop.last_waiting_line = now;
            }
            other => law!(false, "the machine does not report {other:?}"),
        }
        Ok(())
    }

    /// The service of an event, which must have this name and be the one of the last action.
    fn subject(&self, name: &str) -> Result<&Seen, Broken> {
        match self.call.subject.map(|id| &self.services[id]) {
            Some(seen) if seen.spec.name == name => Ok(seen),
            _ => Err(Broken(format!("an event is about `{name}`, and the last action was not"))),
        }
    }

    fn judge_ended(&mut self, service: &str, reason: &ExitReason, restart_in: Option<Duration>) -> Result<(), Broken> {
        let ended = self.call.ended.take().filter(|(_, known)| known == reason);
        law!(ended.is_some(), "`{service}` is reported as ended: {reason:?}");
        self.call.subject = ended.map(|(id, _)| id);
        self.subject(service)?;
        let Some(id) = self.call.subject else { unreachable!("it is the subject") };
        let stopping = self.is_ending();
        let request = self.requests()[id];
        let now = self.call.now;
        let seen = &mut self.services[id];
        let stop_by = seen.stop_by.is_some();
        let policy = &seen.spec.restart;
        if let (true, false, Some(Request::Restart { not_before })) = (stop_by, stopping, request) {
            law!(
                restart_in == Some(not_before.since(now)),
                "service {id} is to restart, but the event says {restart_in:?}"
            );
            seen.restart_at = Some(not_before.max(now));
            return Ok(());
        }
        let fails_start = seen.spec.start == Start::Fail && !seen.was_ready && !seen.spec.optional;
        let fails_start = fails_start && *reason != ExitReason::Done && !stopping && !stop_by;
        law!(!fails_start || restart_in.is_none(), "service {id} was never ready, and restarts");
        if let Some(pause) = restart_in {
            law!(!stopping && !stop_by, "service {id} is to be restarted though it is to stop");
            law!(policy.restart != Restart::Never, "service {id} is to be restarted, which it never may");
            law!(
                policy.restart == Restart::Always || *reason != ExitReason::Done,
                "service {id} is to be restarted after Ok"
            );
            law!(pause >= policy.backoff.min && pause <= policy.backoff.max, "service {id} backs off for {pause:?}");
            seen.restart_at = Some(now + pause);
            self.restart_bound(id, now + pause);
            return Ok(());
        }
        law!(
            policy.restart != Restart::Always || *reason != ExitReason::Done || stopping || stop_by,
            "service {id} always restarts, but not now"
        );
        // An aborted future ends as dropped, which is no failure during its stop.
        let failed = reason.error().is_some() || *reason == ExitReason::Dropped && !stopping && !stop_by;
        let outcome = match (failed, seen.spec.optional) {
            (true, true) if !stop_by => ServiceOutcome::Lost,
            (true, _) => ServiceOutcome::Failed,
            (false, _) if stop_by || stopping => ServiceOutcome::Stopped,
            (false, _) => ServiceOutcome::Done,
        };
        let heals = stop_by && !stopping && request == Some(Request::EndWithParent);
        if failed && !seen.spec.optional && !heals {
            self.exit = self.exit.max(Exit::Failed);
            self.call.must_stop |= !stop_by;
        }
        seen.account(outcome);
        Ok(())
    }

    fn note_stop(&mut self, cause: &Cause) {
        if cause.is_failure() {
            self.exit = self.exit.max(Exit::Failed);
        }
        if self.call.plans && matches!(cause, Cause::StartFailed(_)) {
            // A plan with faults is no plan.
            (0..self.services.len()).for_each(|id| self.leave(id));
            self.resolve([]);
        }
        let begins = match (cause, self.call.delivered) {
            (Cause::Signal(signal), Some(at)) => {
                if self.services.is_empty() {
                    self.exit = self.exit.max(Exit::Interrupted(*signal));
                }
                at
            }
            _ => self.call.now,
        };
        let grace = self.allowance.grace;
        let serves = self.main.is_before_run() && self.main.listens || self.services.iter().any(|seen| seen.live);
        let skips = matches!(cause, Cause::Signal(_)) && self.call.from_terminal;
        let skips = skips || matches!(cause, Cause::HandedOver { .. });
        let drains = serves && !skips && *cause != Cause::Finished;
        let drain_delay = if drains { self.allowance.drain_delay.min(grace) } else { Duration::ZERO };
        for seen in &mut self.services {
            if seen.restart_at.is_some() && drain_delay.is_zero() {
                seen.account(ServiceOutcome::Stopped);
            } else if !seen.has_started() && seen.outcome.is_none() {
                seen.outcome = Some(ServiceOutcome::NeverStarted);
            }
        }
        // Hooks get a fifth of the grace, kept values a tenth, and each at most a second.
        let of_grace = |share: u32| (grace / share).min(Duration::from_secs(1));
        self.reserve = match (self.hooks > 0, self.keeps) {
            (true, true) => of_grace(5) + of_grace(10),
            (true, false) => of_grace(5),
            (false, true) => of_grace(10),
            (false, false) => Duration::ZERO,
        };
        self.stop = Some(Stop {
            requested: begins,
            begins,
            drain_delay,
            deadline: begins + grace,
            drain_ends: begins + drain_delay,
            front_ends: begins,
            first_poll: Duration::ZERO,
            teardown_until: None,
            plan_changed: true,
            reserved: Vec::new(),
            levels: Vec::new(),
            last_waiting_line: begins,
        });
        self.divide_anew();
    }

    /// Divides the budget among the services that are left.
    pub(super) fn divide_anew(&mut self) {
        let Some(Stop { begins, drain_delay, plan_changed: true, .. }) = self.stop else { return };
        let steps_have = self.allowance.grace.saturating_sub(self.reserve).saturating_sub(drain_delay);
        let (reserved, front_has, dependencies) = self.reserved(steps_have);
        let levels = self.levels();
        self.stop.iter_mut().for_each(|stop| {
            stop.plan_changed = false;
            stop.front_ends = begins + drain_delay + front_has;
            stop.first_poll = FIRST_POLL.min(TAIL / (1 + dependencies));
            stop.reserved = reserved.clone();
            stop.levels = levels.clone();
        });
    }

    /// No restart begins when the drain delay is over.
    pub(super) fn note_no_restarts(&mut self) {
        for seen in &mut self.services {
            if seen.restart_at.is_some() {
                seen.account(ServiceOutcome::Stopped);
            } else if !seen.has_started() && seen.outcome.is_none() {
                seen.outcome = Some(ServiceOutcome::NeverStarted);
            }
        }
    }

    /// The time that each service must have once it is signalled, the time that is left for the front, and the number
    /// of levels above it. A dependency reserves its own grace, by default a fifth of the total and at most a second.
    /// If not all fits, every reserve shrinks by the same factor. A dependency that has ended reserves nothing.
    fn reserved(&self, steps_have: Duration) -> (Vec<Duration>, Duration, u32) {
        let grace = self.allowance.grace;
        let teardown = if self.main.ended { Duration::ZERO } else { (grace / 20).min(Duration::from_millis(100)) };
        let steps_have = steps_have.saturating_sub(teardown).as_secs_f64();
        let wants =
            |id: usize| self.services[id].spec.grace.unwrap_or((grace / 5).min(Duration::from_secs(1))).max(FIRST_POLL);
        let levels = self.levels();
        let wanted: Vec<_> =
            (0..levels.len()).map(|id| if self.has_to_stop(id) { wants(id) } else { Duration::ZERO }).collect();
        let in_slot = |id: usize, &other: &usize| levels[other] == levels[id];
        // The time that each wants, together with those that stop before it in the same step.
        let mut chains = wanted.clone();
        for _ in 0..chains.len() {
            for id in 0..chains.len() {
                let earlier = self.stops_after(id).filter(|other| in_slot(id, other)).map(|other| chains[other]).max();
                chains[id] = wanted[id] + earlier.unwrap_or_default();
            }
        }
        let of_level = |level: usize| {
            let in_it = (0..levels.len()).filter(|&id| levels[id] == level);
            in_it.map(|id| chains[id]).max().unwrap_or_default().as_secs_f64()
        };
        let count = (0..levels.len()).filter(|&id| self.has_to_stop(id)).map(|id| levels[id]).max().unwrap_or(0);
        let sum: f64 = (1..=count).map(of_level).sum();
        let fits = steps_have * count as f64 / (count + 1) as f64;
        let share = if sum > fits { fits / sum } else { 1.0 };
        let front_has = steps_have - sum * share;
        let front_share = if of_level(0) > front_has { front_has / of_level(0) } else { 1.0 };
        let reserved = |id: usize| {
            let is_last = self.stops_after(id).any(|other| in_slot(id, &other));
            match levels[id] {
                0 if is_last => wanted[id].mul_f64(front_share),
                0 => Duration::ZERO,
                _ => wanted[id].mul_f64(share),
            }
        };
        ((0..levels.len()).map(reserved).collect(), Duration::from_secs_f64(front_has), count as u32)
    }
}

//! Judges what is told.

use std::time::Duration;

use super::seen::Stop;
use super::{Broken, Oracle, law};
use crate::machine::action::Notice;
use crate::machine::cause::Cause;
use crate::machine::event::Ending;
use crate::machine::exit::Exit;
use crate::machine::id::ServiceId;
use crate::machine::restart::Restart;
use crate::machine::service::{Fate, Wish};
use crate::machine::state::State;

impl Oracle {
    pub(super) fn judge_notice(&mut self, notice: &Notice, state: &State) -> Result<(), Broken> {
        match notice {
            Notice::ServiceStarted { id: ServiceId(id), generation } => {
                let seen = &self.services[*id];
                law!(seen.live && seen.generation == *generation, "service {id} is said to have started");
            }
            Notice::ServiceReady { id: ServiceId(id) } => {
                let seen = &self.services[*id];
                law!(seen.live && seen.ready, "service {id} is said to be ready");
                if self.call.ready == Some(*id) {
                    self.call.ready = None;
                }
            }
            Notice::ServiceTold { id: ServiceId(id) } => {
                let seen = &self.services[*id];
                law!(seen.live && seen.told.is_some(), "service {id} is said to have been told");
            }
            Notice::ServiceEnded { id, ending, restart_in } => return self.judge_ended(*id, ending, *restart_in),
            Notice::ServiceLost { id: ServiceId(id) } => {
                let seen = &self.services[*id];
                law!(seen.fate == Some(Fate::Lost), "service {id} is said to be lost");
            }
            Notice::ServiceRefused { id: ServiceId(id), .. } => {
                law!(self.call.added == Some(*id) && self.running, "service {id} is refused");
                self.services[*id].refused = true;
                self.services[*id].fate = Some(Fate::Refused);
                self.resolve([*id]);
            }
            Notice::MainFailed { .. } => law!(self.call.main_failed, "main is said to have failed"),
            Notice::StopRequested { cause, grace } => {
                law!(self.stop.is_none(), "a second stop is requested");
                law!(*grace == self.allowance.grace, "the grace is said to be {grace:?}");
                self.note_stop(cause);
            }
            Notice::DuplicateSignal(_) => law!(self.call.signal, "a duplicate is told, but no signal came"),
            Notice::Waiting { remaining, .. } => {
                let now = self.call.now;
                let Some(stop) = &mut self.stop else {
                    return Err(Broken("a waiting line without a stop".to_owned()));
                };
                let apart = now.since(stop.last_waiting_line);
                law!(apart >= Duration::from_secs(1), "two waiting lines are {apart:?} apart");
                law!(*remaining == stop.deadline.since(now), "{remaining:?} are said to remain");
                stop.last_waiting_line = now;
            }
            Notice::Finished { exit } => law!(*exit == state.exit(), "the exit is said to be {exit:?}"),
        }
        Ok(())
    }

    fn judge_ended(
        &mut self,
        ServiceId(id): ServiceId,
        ending: &Ending,
        restart_in: Option<Duration>,
    ) -> Result<(), Broken> {
        law!(self.call.ended.take() == Some((id, ending.clone())), "service {id} is said to have ended: {ending:?}");
        let stopping = self.stop.is_some();
        let wish = self.wishes()[id];
        let now = self.call.now;
        let seen = &mut self.services[id];
        let told = seen.told.is_some();
        let policy = &seen.spec.restart;
        if let (true, false, Some(Wish::Restart { not_before })) = (told, stopping, wish) {
            law!(restart_in == Some(not_before.since(now)), "service {id} is to begin a new life, but {restart_in:?}");
            seen.restart_at = Some(not_before.max(now));
            return Ok(());
        }
        if let Some(pause) = restart_in {
            law!(!stopping && !told, "service {id} is to be restarted though it is to stop");
            law!(policy.restart != Restart::Never, "service {id} is to be restarted, which it never may");
            law!(
                policy.restart == Restart::Always || *ending != Ending::Done,
                "service {id} is to be restarted after Ok"
            );
            law!(pause >= policy.backoff.min && pause <= policy.backoff.max, "service {id} backs off for {pause:?}");
            seen.restart_at = Some(now + pause);
            self.restart_bound(id, now + pause);
            return Ok(());
        }
        law!(
            policy.restart != Restart::Always || *ending != Ending::Done || stopping || told,
            "service {id} always restarts, but not now"
        );
        // Dropped while it was to stop anyway is how an aborted future ends.
        let failed = ending.error().is_some() || *ending == Ending::Dropped && !stopping && !told;
        let fate = match (failed, seen.spec.optional) {
            (true, true) if !told => Fate::Lost,
            (true, _) => Fate::Failed,
            (false, _) if told || stopping => Fate::Stopped,
            (false, _) => Fate::Done,
        };
        let heals = told && !stopping && wish == Some(Wish::EndWithParent);
        if failed && !seen.spec.optional && !heals {
            self.exit = self.exit.max(Exit::Failed);
            self.call.must_stop |= !told;
        }
        seen.account(fate);
        Ok(())
    }

    fn note_stop(&mut self, cause: &Cause) {
        if cause.is_failure() {
            self.exit = self.exit.max(Exit::Failed);
        }
        let now = self.call.now;
        let grace = self.allowance.grace;
        let serves = self.main.is_before_run() && self.main.listens || self.services.iter().any(|seen| seen.live);
        let drains = serves && *cause != Cause::Finished;
        let drain_delay = if drains { self.allowance.drain_delay.min(grace) } else { Duration::ZERO };
        let (reserved, edge_has) = self.reserved(grace - drain_delay);
        self.stop = Some(Stop {
            deadline: now + grace,
            drain_ends: now + drain_delay,
            edge_ends: now + drain_delay + edge_has,
            reserved,
            levels: self.levels(),
            last_waiting_line: now,
        });
        for seen in &mut self.services {
            if seen.restart_at.is_some() {
                seen.account(Fate::Stopped);
            } else if !seen.has_started() && seen.fate.is_none() {
                seen.fate = Some(Fate::NeverStarted);
            }
        }
    }

    /// What each service must have from when it is told, as DESIGN has it: a dependency's own grace,
    /// or a fifth of the whole and at most a second. Where not all fits, all give up the same share.
    /// And what that leaves for the edge: a dependency that is gone keeps nothing.
    fn reserved(&self, steps_have: Duration) -> (Vec<Duration>, Duration) {
        let grace = self.allowance.grace;
        let teardown = if self.main.ended { Duration::ZERO } else { (grace / 20).min(Duration::from_millis(100)) };
        let steps_have = steps_have.saturating_sub(teardown).as_secs_f64();
        let wants = |id: usize| self.services[id].spec.grace.unwrap_or((grace / 5).min(Duration::from_secs(1)));
        let levels = self.levels();
        let wanted: Vec<_> =
            (0..levels.len()).map(|id| if self.is_drained(id) { Duration::ZERO } else { wants(id) }).collect();
        let in_slot = |id: usize, &other: &usize| levels[other] == levels[id];
        // How long each and those that stop before it in its step want to have together.
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
        let count = (0..levels.len()).filter(|&id| !self.is_drained(id)).map(|id| levels[id]).max().unwrap_or(0);
        let sum: f64 = (1..=count).map(of_level).sum();
        let fits = steps_have * count as f64 / (count + 1) as f64;
        let share = if sum > fits { fits / sum } else { 1.0 };
        let edge_has = steps_have - sum * share;
        let edge_share = if of_level(0) > edge_has { edge_has / of_level(0) } else { 1.0 };
        let reserved = |id: usize| {
            let is_last = self.stops_after(id).any(|other| in_slot(id, &other));
            match levels[id] {
                0 if is_last => wanted[id].mul_f64(edge_share),
                0 => Duration::ZERO,
                _ => wanted[id].mul_f64(share),
            }
        };
        ((0..levels.len()).map(reserved).collect(), Duration::from_secs_f64(edge_has))
    }
}

//! Judges the end: every service is accounted for once.

use super::{Broken, Oracle, law};
use crate::machine::id::{Owner, ServiceId};
use crate::machine::stage::Stage;
use crate::machine::state::State;

impl Oracle {
    pub(super) fn judge_finish(&mut self, state: &State) -> Result<(), Broken> {
        self.over = true;
        law!(self.stop.is_some(), "the machine finishes without a stop request");
        law!(self.all_is_drained(), "the machine finishes before all is drained or abandoned");
        law!(self.main.ended || self.main.abandoned, "the machine finishes before main has ended");
        law!(state.left().is_empty(), "the machine finishes and leaves {:?}", state.left());
        for id in 0..self.services.len() {
            self.judge_outcome(id, state)?;
        }
        Ok(())
    }

    /// The outcome that the machine keeps is the one that was reported.
    fn judge_outcome(&self, id: usize, state: &State) -> Result<(), Broken> {
        let seen = &self.services[id];
        let started = u32::from(seen.has_started());
        law!(seen.accounts == started, "service {id} is accounted for {} times", seen.accounts);
        let Stage::Over(outcome) = state.services()[id].stage else {
            return Err(Broken(format!("service {id} is not over")));
        };
        law!(
            seen.outcome.is_none_or(|seen| seen == outcome),
            "service {id} is {outcome:?}, but was reported as {:?}",
            seen.outcome
        );
        Ok(())
    }

    /// A forced exit names everything that is not over.
    pub(super) fn judge_forced(&mut self, state: &State) -> Result<(), Broken> {
        self.over = true;
        let left = state.left();
        for (id, seen) in self.services.iter().enumerate() {
            let named = left.services.iter().filter(|service| **service == (ServiceId(id), seen.run)).count();
            law!(
                named == usize::from(seen.live || seen.dropping),
                "service {id} is named {named} times at a forced exit"
            );
            if !seen.live {
                self.judge_outcome(id, state)?;
            }
        }
        for owner in self.owners() {
            self.judge_left(owner, state)?;
        }
        let main_runs = self.main.is_before_run() || self.main.returned && !self.main.ended;
        law!(left.main == main_runs, "main is named: {}", left.main);
        Ok(())
    }

    fn judge_left(&self, owner: Owner, state: &State) -> Result<(), Broken> {
        let sessions = self.sessions(owner);
        let named =
            state.left().sessions.iter().filter(|(named, _)| *named == owner).map(|(_, count)| count).sum::<u64>();
        let there = if sessions.abandoned { 0 } else { sessions.alive };
        law!(named == there, "{named} sessions of {owner:?} are named at a forced exit, and {there} are there");
        Ok(())
    }
}

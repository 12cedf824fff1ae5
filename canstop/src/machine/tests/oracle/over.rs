//! Judges the end: everybody is accounted for, once.

use super::{Broken, Oracle, law};
use crate::machine::id::{Owner, ServiceId};
use crate::machine::stage::Stage;
use crate::machine::state::State;

impl Oracle {
    pub(super) fn judge_finish(&mut self, state: &State) -> Result<(), Broken> {
        self.over = true;
        law!(self.stop.is_some(), "it finishes though nobody asked for a stop");
        law!(self.all_is_drained(), "it finishes before all is drained or abandoned");
        law!(self.main.ended || self.main.abandoned, "it finishes before main has");
        law!(state.left().is_empty(), "it finishes, and leaves {:?}", state.left());
        for id in 0..self.services.len() {
            self.judge_fate(id, state)?;
        }
        Ok(())
    }

    /// Where it stands now, and where it was seen to end.
    fn judge_fate(&self, id: usize, state: &State) -> Result<(), Broken> {
        let seen = &self.services[id];
        let started = u32::from(seen.has_started());
        law!(seen.accounts == started, "service {id} is accounted for {} times", seen.accounts);
        let Stage::Over(outcome) = state.services()[id].stage else {
            return Err(Broken(format!("service {id} is not over")));
        };
        law!(
            seen.outcome.is_none_or(|seen| seen == outcome),
            "service {id} is {outcome:?}, but was seen {:?}",
            seen.outcome
        );
        Ok(())
    }

    /// What is not over is named.
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
                self.judge_fate(id, state)?;
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

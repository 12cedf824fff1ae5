//! Counting sessions for the machine.

use std::collections::HashSet;
use std::time::Duration;

use super::event_loop::{EventLoop, RECOUNT_SOONEST};
use crate::machine::{Input, Owner, Phase, Time};
use crate::session::{Count, GroupGrace, Scope};

/// The longest one: a session that ended while a count began may not have announced it.
const RECOUNT_LATEST: Duration = Duration::from_millis(5);
/// While more sessions than this are left, the end of one is not worth a count.
const FEW: u64 = 2_048;

impl EventLoop {
    pub(super) fn count_sessions(&mut self) {
        self.count_sessions_at(self.clock.now());
    }

    /// Sessions were signalled or abandoned just now, and may end soon.
    pub(super) fn recount_soon(&mut self) {
        self.recount_after = RECOUNT_SOONEST;
    }

    pub(super) fn count_sessions_at(&mut self, now: Time) {
        let counts = self.sessions.count(self.supervisor);
        self.introduce_groups();
        let alive = counts.iter().map(|count| count.alive).sum();
        self.recount_after =
            if alive == self.alive { (self.recount_after * 2).min(RECOUNT_LATEST) } else { RECOUNT_SOONEST };
        self.alive = alive;
        self.supervisor.listen_for_changes(self.state.watches_sessions() && alive <= FEW);
        let is_of_main = |count: &Count| count.scope.home().owner == Owner::Root && count.finished > 0;
        if self.state.phase() == Phase::SettingUp && counts.iter().any(is_of_main) {
            self.step_at(now, Input::MainListens);
        }
        let gone = self.owners_gone(&counts);
        let counted = counts.iter().map(|count| (count.scope.owner, count.alive)).chain(gone).collect();
        self.step_at(now, Input::SessionsCounted(counted));
        self.end_watchers(&counts);
    }

    /// The owners that were counted last time and are not now: their scope is new, or retired, and has no session.
    fn owners_gone(&mut self, counts: &[Count]) -> Vec<(Owner, u64)> {
        if counts.iter().map(|count| count.scope.owner).eq(self.counted.iter().copied()) {
            return Vec::new();
        }
        let owners: HashSet<_> = counts.iter().map(|count| count.scope.owner).collect();
        let before = std::mem::replace(&mut self.counted, counts.iter().map(|count| count.scope.owner).collect());
        before.into_iter().filter(|owner| !owners.contains(owner)).map(|owner| (owner, 0)).collect()
    }

    /// Ends the streams of watchers, if nothing else is left of what was asked to stop.
    fn end_watchers(&self, counts: &[Count]) {
        if !self.supervisor.has_watchers() {
            return;
        }
        let is_stopping = |scope: &Scope| scope.is_stopping(scope.run_id());
        let left = self.state.left();
        let bodies = left.services.iter().filter(|&&(id, _)| is_stopping(self.services.scope(id))).count() as u64;
        let main = u64::from(left.main && is_stopping(self.supervisor.root()));
        let sessions = counts.iter().filter(|count| is_stopping(count.scope.home()));
        self.supervisor.end_watchers(bodies + main + sessions.map(|count| count.alive).sum::<u64>());
    }

    /// Groups are made on the data plane. Every group with a session that was just counted is among them.
    fn introduce_groups(&mut self) {
        for scope in self.supervisor.groups_from(self.groups.len()) {
            self.groups.push(scope);
            let GroupGrace { grace, cancels } = scope.group_grace().expect("a group has a grace");
            self.step(Input::GroupAdded { home: scope.home().owner, grace, cancels });
        }
    }

    /// The scope of an owner that the machine knows.
    pub(super) fn scope_of(&self, owner: Owner) -> &'static Scope {
        match owner {
            Owner::Root => self.supervisor.root(),
            Owner::Service(id) => self.services.scope(id),
            Owner::Group(number) => self.groups[number],
        }
    }
}

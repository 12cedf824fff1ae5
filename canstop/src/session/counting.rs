//! Counting the sessions of all scopes.

use std::collections::HashMap;
use std::iter;
use std::ptr;

use super::scope::{Counter, Scope};
use super::supervisor::Supervisor;
use super::tally::Tally;
use super::thread;

/// The sessions of one scope at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    pub(crate) scope: &'static Scope,
    pub(crate) alive: u64,
    /// Since the program began.
    pub(crate) finished: u64,
}

/// How many sessions there were since the program began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionTotals {
    pub(crate) started: u64,
    pub(crate) finished: u64,
}

/// The counters of all scopes that are in use, and those scopes. A scope without a session ever has no counter,
/// and is left out: so a service that spawns nothing costs a count nothing.
#[derive(Debug, Default)]
pub(super) struct CounterList {
    /// The version that the rest is of.
    version: u64,
    pub(super) scopes: Vec<&'static Scope>,
    /// With the index of its scope.
    pub(super) counters: Vec<(usize, &'static Counter)>,
}

impl CounterList {
    /// Lists the counters again if there are others. Returns whether it has.
    ///
    /// A counter that was added before a session ended is listed after that end was read: the count of the end
    /// is read with acquire, and the counter was added, and the version raised, before.
    pub(super) fn refresh(&mut self, supervisor: &Supervisor) -> bool {
        let version = supervisor.counters_version();
        if version == self.version {
            return false;
        }
        *self = Self { version, ..Self::default() };
        for scope in supervisor.scopes() {
            let counters = scope.lock_counters();
            if !counters.is_empty() {
                self.counters.extend(counters.iter().map(|&counter| (self.scopes.len(), counter)));
                self.scopes.push(scope);
            }
        }
        true
    }

    fn sums(&self, of: fn(&Tally) -> u64) -> Vec<u64> {
        let mut sums = vec![0; self.scopes.len()];
        for &(scope, counter) in &self.counters {
            sums[scope] += of(&counter.tally);
        }
        sums
    }
}

/// Counts again and again, and lists the counters only when there are others.
#[derive(Debug, Default)]
pub(crate) struct SessionCounter {
    list: CounterList,
}

impl SessionCounter {
    /// Counts the sessions of every scope that ever had one. If several scopes have none, there was one moment at
    /// which none of them had any: see [`tally`](super::tally) for why both passes cover all of them.
    pub(crate) fn count(&mut self, supervisor: &Supervisor) -> Vec<Count> {
        self.list.refresh(supervisor);
        let mut finished = self.list.sums(Tally::finished);
        let before: Vec<_> = self.list.scopes.clone();
        // A counter that was added between the passes is in the second one.
        if self.list.refresh(supervisor) {
            let by_scope: HashMap<_, _> =
                iter::zip(before.iter().map(|scope| ptr::from_ref(*scope)), finished).collect();
            let finished_of = |scope: &&'static Scope| by_scope.get(&ptr::from_ref(*scope)).copied().unwrap_or(0);
            finished = self.list.scopes.iter().map(finished_of).collect();
        }
        // After `finished`: a session that is counted there has noted its output before.
        let dropping = thread::dropping_outputs();
        let started = self.list.sums(Tally::started);
        let sums = iter::zip(started, finished);
        let count = |(&scope, (started, finished)): (&&'static Scope, (u64, u64))| {
            let dropping = dropping.iter().filter(|counter| ptr::eq(counter.scope, scope)).count() as u64;
            Count { scope, alive: started - finished + dropping, finished: finished - dropping.min(finished) }
        };
        iter::zip(&self.list.scopes, sums).map(count).collect()
    }
}

/// Counts once.
pub(crate) fn count(supervisor: &Supervisor) -> Vec<Count> {
    SessionCounter::default().count(supervisor)
}

impl Supervisor {
    /// Counts all sessions since the program began, also those of services that have ended: these numbers never
    /// fall.
    pub(crate) fn session_totals(&self) -> SessionTotals {
        let sum = |of: fn(&Tally) -> u64| self.all_scopes().into_iter().map(|scope| scope.sum(of)).sum();
        // Finished first, as always: more sessions may start meanwhile.
        let finished = sum(Tally::finished);
        SessionTotals { finished, started: sum(Tally::started) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scope::{Kind, Writer};
    use super::super::tests::{SITE, service};
    use super::*;

    fn counter(scope: &'static Scope) -> &'static Counter {
        let counter = Counter::leak(&SITE, scope, Kind::Session, Writer::NONE);
        scope.add_counter(counter);
        counter
    }

    #[test]
    fn counters_are_listed_again_only_when_one_is_added() {
        let scope = service();
        let first = counter(scope);
        let mut list = CounterList::default();
        assert!(list.refresh(scope.supervisor()));
        assert!(!list.refresh(scope.supervisor()));
        let second = counter(scope);
        assert!(list.refresh(scope.supervisor()));
        let listed: Vec<_> = list.counters.iter().map(|&(_, counter)| ptr::from_ref(counter)).collect();
        assert_eq!(listed, [first, second].map(ptr::from_ref));
        assert_eq!(list.scopes.len(), 1, "the root has never had a session");
    }

    #[test]
    fn a_scope_that_is_retired_is_no_longer_counted() {
        let scope = service();
        let counter = counter(scope);
        counter.tally.count_start();
        let mut sessions = SessionCounter::default();
        let alive = |counts: &[Count]| counts.iter().map(|count| count.alive).sum::<u64>();
        assert_eq!(alive(&sessions.count(scope.supervisor())), 1);
        scope.supervisor().retire_scope(scope);
        assert!(sessions.count(scope.supervisor()).is_empty());
        let totals = scope.supervisor().session_totals();
        assert_eq!(totals, SessionTotals { started: 1, finished: 0 });
    }
}

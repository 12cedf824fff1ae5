//! Compares the state that the machine keeps with one computed from scratch.

use std::collections::BTreeSet;

use crate::machine::facts::IndexEntry;
use crate::machine::phase::Phase;
use crate::machine::stage::UserState;
use crate::machine::state::State;

impl State {
    /// Compares the plan and the index with ones made from scratch.
    ///
    /// # Panics
    ///
    /// Panics if they differ.
    pub(super) fn check_index(&self) {
        assert!(self.is_fresh(), "a changed service was not looked at again");
        self.plan.check_derived();
        self.check_ids();
        let mut fresh = self.clone();
        fresh.index_anew();
        fresh.set_timers();
        assert_eq!(self.index.timers, fresh.index.timers);
        assert_eq!(self.index.undrained, fresh.index.undrained);
        assert_eq!(self.index.ended, fresh.index.ended);
        assert_eq!(self.index.names, fresh.index.names);
        assert_eq!(
            (self.index.unfinished, self.index.running, self.index.waiting, self.index.open_requests),
            (fresh.index.unfinished, fresh.index.running, fresh.index.waiting, fresh.index.open_requests)
        );
        for id in self.ids() {
            let (kept, found) = (&self.service(id).entry, &fresh.service(id).entry);
            let facts =
                |entry: &IndexEntry| (entry.facts, entry.undrained_children, entry.waiting_children, entry.blockers);
            assert_eq!(facts(kept), facts(found), "{}", self.service(id).spec);
        }
        self.check_decisions();
    }

    /// Every service is listed under its name, and every ended child under the place of its id.
    fn check_ids(&self) {
        let listed = |id| self.index.of_path(&self.service(id).spec.name).any(|listed| listed == id);
        assert!(self.ids().all(listed), "a service is not listed under its name");
        let by_name = self.index.paths.values().map(BTreeSet::len).sum::<usize>();
        assert_eq!(by_name, self.services.len(), "a name is listed that no service has");
        let gone = self.ids().filter(|&id| {
            let service = self.service(id);
            service.spec.parent.is_some() && service.user_state == UserState::Dropped && self.is_drained(id)
        });
        assert_eq!(gone.count(), self.index.ended.values().map(BTreeSet::len).sum::<usize>());
    }

    /// No queue misses a service: everything that can be decided is decided.
    fn check_decisions(&self) {
        let supervises = self.has_run && (Phase::Running..Phase::Stopping(0)).contains(&self.phase);
        for id in self.ids() {
            let spec = &self.service(id).spec;
            let turn = match self.phase {
                Phase::Stopping(_) | Phase::TearingDown => self.level(id) <= self.reach(),
                _ => supervises && self.service(id).request.is_some(),
            };
            assert!(!(turn && self.awaits_stop(id) && !self.is_needed(id)), "{spec} is not signalled");
            if supervises {
                assert!(!self.may_start(self.now, id), "{spec} may start");
                assert!(self.inherited_request(id) <= self.service(id).request, "{spec} has missed a request");
            }
        }
    }
}

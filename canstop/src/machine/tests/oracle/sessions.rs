//! The sessions of each owner, and until when they have time.

use std::time::Duration;

use super::Oracle;
use super::seen::{Group, Sessions};
use crate::machine::id::{Owner, ServiceId};
use crate::machine::time::Time;

/// The time for a first poll, and by how much it may exceed the deadline.
pub(super) const FIRST_POLL: Duration = Duration::from_millis(10);
pub(super) const TAIL: Duration = Duration::from_millis(20);

impl Oracle {
    pub(super) fn sessions(&self, owner: Owner) -> &Sessions {
        match owner {
            Owner::Root => &self.root,
            Owner::Service(ServiceId(id)) => &self.services[id].sessions,
            Owner::Group(group) => &self.groups[group].sessions,
        }
    }

    pub(super) fn sessions_mut(&mut self, owner: Owner) -> &mut Sessions {
        match owner {
            Owner::Root => &mut self.root,
            Owner::Service(ServiceId(id)) => &mut self.services[id].sessions,
            Owner::Group(group) => &mut self.groups[group].sessions,
        }
    }

    /// Until when an owner's sessions have time, once they are signalled.
    pub(super) fn stop_by(&self, owner: Owner) -> Option<Time> {
        match owner {
            Owner::Root => self.root_stop_by,
            Owner::Service(ServiceId(id)) => self.services[id].stop_by,
            Owner::Group(group) => self.groups[group].stop_by,
        }
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = Owner> + use<> {
        let services = (0..self.services.len()).map(|id| Owner::Service(ServiceId(id)));
        let groups = (0..self.groups.len()).map(Owner::Group);
        std::iter::once(Owner::Root).chain(services).chain(groups)
    }

    fn are_drained(&self, home: Owner) -> bool {
        let mut groups = self.groups.iter().filter(|group| group.home == home);
        self.sessions(home).are_drained() && groups.all(|group| group.sessions.are_drained())
    }

    /// Returns true if it is over, with its sessions and its children.
    pub(super) fn is_drained(&self, id: usize) -> bool {
        self.is_itself_drained(id) && self.children(id).all(|child| self.is_drained(child))
    }

    pub(super) fn is_itself_drained(&self, id: usize) -> bool {
        !self.services[id].live && !self.services[id].dropping && self.are_drained(Owner::Service(ServiceId(id)))
    }

    /// Returns true if the root's sessions and the body of `main` are over.
    pub(super) fn root_is_drained(&self) -> bool {
        self.are_drained(Owner::Root) && !self.main.is_before_run()
    }

    pub(super) fn all_is_drained(&self) -> bool {
        self.root_is_drained() && (0..self.services.len()).all(|id| self.is_drained(id))
    }

    pub(super) fn note_group(&mut self, home: Owner, grace: Duration) {
        let stop_by = self.stop_by(home).map(|until| until.min(self.with_first_poll(self.call.now + grace)));
        self.groups.push(Group { home, grace, stop_by, sessions: Sessions::default() });
    }

    /// The groups were signalled in an earlier run, which does not count for the next one.
    pub(super) fn forget_group_signals(&mut self, id: usize) {
        for group in self.groups.iter_mut().filter(|group| group.home == Owner::Service(ServiceId(id))) {
            group.stop_by = None;
        }
    }

    /// Returns true if `main` has no sessions.
    pub(super) fn root_has_no_sessions(&self) -> bool {
        let mut groups = self.groups.iter().filter(|group| group.home == Owner::Root);
        self.root.alive == 0 && groups.all(|group| group.sessions.alive == 0)
    }

    /// At least until when anything that is signalled now has time: long enough for one poll.
    pub(super) fn with_first_poll(&self, until: Time) -> Time {
        let now = self.call.now;
        match &self.stop {
            Some(stop) => until.max((now + stop.first_poll).min(stop.deadline + TAIL)),
            None => until.max(now + FIRST_POLL),
        }
    }

    /// Returns true if a service of the plan, or a child of it, still needs time to stop.
    pub(super) fn has_to_stop(&self, id: usize) -> bool {
        let seen = &self.services[id];
        let waits = seen.outcome.is_none() && !seen.live;
        seen.planned
            && (seen.live
                || waits
                || !self.are_drained(Owner::Service(ServiceId(id)))
                || self.children(id).any(|child| self.has_to_stop(child)))
    }

    /// Returns true if a service waits for its next run, or a child of a restarted one for its first.
    pub(super) fn any_waits(&self) -> bool {
        self.services.iter().any(|seen| seen.outcome.is_none() && !seen.live)
    }

    /// Groups are signalled with their home.
    pub(super) fn pass_on(&mut self, home: Owner, until: Time) {
        for group in 0..self.groups.len() {
            let &Group { home: of, grace, stop_by, .. } = &self.groups[group];
            if of == home {
                let own = stop_by.unwrap_or(self.with_first_poll(self.call.now + grace));
                self.groups[group].stop_by = Some(own.min(until));
            }
        }
    }
}

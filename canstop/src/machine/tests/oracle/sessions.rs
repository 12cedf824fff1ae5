//! Whose sessions are still there, and until when they have time.

use std::time::Duration;

use super::Oracle;
use super::seen::{Group, Sessions};
use crate::machine::id::{Owner, ServiceId};
use crate::machine::time::Time;

impl Oracle {
    pub(super) fn sessions(&self, owner: Owner) -> &Sessions {
        match owner {
            Owner::Root => &self.edge,
            Owner::Service(ServiceId(id)) => &self.services[id].sessions,
            Owner::Group(group) => &self.groups[group].sessions,
        }
    }

    pub(super) fn sessions_mut(&mut self, owner: Owner) -> &mut Sessions {
        match owner {
            Owner::Root => &mut self.edge,
            Owner::Service(ServiceId(id)) => &mut self.services[id].sessions,
            Owner::Group(group) => &mut self.groups[group].sessions,
        }
    }

    /// Until when they were told that they have time.
    pub(super) fn stop_by(&self, owner: Owner) -> Option<Time> {
        match owner {
            Owner::Root => self.edge_told,
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

    /// Is it over, with its sessions and its children?
    pub(super) fn is_drained(&self, id: usize) -> bool {
        self.is_itself_drained(id) && self.children(id).all(|child| self.is_drained(child))
    }

    pub(super) fn is_itself_drained(&self, id: usize) -> bool {
        !self.services[id].live && self.are_drained(Owner::Service(ServiceId(id)))
    }

    /// The edge's sessions and the body of `main`.
    pub(super) fn root_is_drained(&self) -> bool {
        self.are_drained(Owner::Root) && !self.main.is_before_run()
    }

    pub(super) fn all_is_drained(&self) -> bool {
        self.root_is_drained() && (0..self.services.len()).all(|id| self.is_drained(id))
    }

    pub(super) fn note_group(&mut self, home: Owner, grace: Duration) {
        let stop_by = self.stop_by(home).map(|until| until.min(self.call.now + grace));
        self.groups.push(Group { home, grace, stop_by, sessions: Sessions::default() });
    }

    /// What a home's groups were told was told to an earlier life.
    pub(super) fn groups_begin_anew(&mut self, id: usize) {
        for group in self.groups.iter_mut().filter(|group| group.home == Owner::Service(ServiceId(id))) {
            group.stop_by = None;
        }
    }

    /// Has `main` accepted nothing yet?
    pub(super) fn edge_has_no_sessions(&self) -> bool {
        let mut groups = self.groups.iter().filter(|group| group.home == Owner::Root);
        self.edge.alive == 0 && groups.all(|group| group.sessions.alive == 0)
    }

    /// What a home is told its groups hear with it.
    pub(super) fn pass_on(&mut self, home: Owner, until: Time) {
        for group in self.groups.iter_mut().filter(|group| group.home == home) {
            let own = group.stop_by.unwrap_or(self.call.now + group.grace);
            group.stop_by = Some(own.min(until));
        }
    }
}

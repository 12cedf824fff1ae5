//! The sessions that a stop has drained so far, and the stragglers that it has named.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use crate::machine::{Abandoned, Activity, Event, Owner, RunId, ServiceId, Straggler, StragglerKind};
use crate::report::ROWS;
use crate::session::{
    Count, Kind, Scope, SessionGroup, Site, Supervisor, Watch, body_blocks_since, count, snapshot_sessions,
};

/// The most sessions that are named as what a service may wait for.
const OTHERS: usize = 5;

/// What a stop has drained and abandoned.
#[derive(Debug, Default)]
pub(super) struct DrainStats {
    /// How many sessions of each owner had finished when the stop was requested.
    finished_before: HashMap<Owner, u64>,
    /// How many sessions had been cancelled by then.
    cancelled_before: u64,
    /// How many sessions of an owner had drained when the owner was abandoned.
    closed: HashMap<Owner, u64>,
    stragglers: Vec<Straggler>,
}

impl DrainStats {
    /// Begins to count what is drained.
    pub(super) fn open(&mut self, supervisor: &Supervisor) {
        self.cancelled_before = supervisor.cancelled_sessions();
        self.finished_before = count(supervisor).into_iter().map(|count| (count.scope.owner, count.finished)).collect();
    }

    fn drained_of(&self, count: Count) -> u64 {
        let before = self.finished_before.get(&count.scope.owner).copied().unwrap_or(0);
        count.finished.saturating_sub(before)
    }

    /// How many sessions have ended by themselves since.
    pub(super) fn drained(&self, supervisor: &Supervisor) -> u64 {
        let of = |count: Count| match self.closed.get(&count.scope.owner) {
            Some(drained) => *drained,
            None => self.drained_of(count),
        };
        count(supervisor).into_iter().map(of).sum::<u64>().saturating_sub(self.cancelled(supervisor))
    }

    /// How many sessions were cancelled since.
    pub(super) fn cancelled(&self, supervisor: &Supervisor) -> u64 {
        supervisor.cancelled_sessions() - self.cancelled_before
    }

    pub(super) fn stragglers(&self) -> &[Straggler] {
        &self.stragglers
    }

    /// Sessions of these owners that end from now on were abandoned, and do not count as drained.
    pub(super) fn close(&mut self, supervisor: &Supervisor, owners: &[Owner]) {
        let owners: HashSet<_> = owners.iter().collect();
        for count in count(supervisor).into_iter().filter(|count| owners.contains(&count.scope.owner)) {
            let drained = self.drained_of(count);
            self.closed.entry(count.scope.owner).or_insert(drained);
        }
    }

    /// Records stragglers, and emits an event for each of the first ones.
    pub(super) fn enter(&mut self, stragglers: Vec<Straggler>, emit: impl Fn(Event)) {
        for straggler in stragglers {
            if self.stragglers.len() < ROWS {
                emit(Event::Abandoned(straggler.clone()));
            }
            self.stragglers.push(straggler);
        }
    }
}

/// What stragglers are named from.
pub(super) struct StragglerNaming<'a> {
    pub(super) supervisor: &'static Supervisor,
    pub(super) watch: &'a Watch,
    pub(super) now: Instant,
    pub(super) began: Instant,
}

impl StragglerNaming<'_> {
    /// Returns a row for everything that is left: its name, its place, its age and what it does.
    pub(super) fn name(
        &self,
        left: &Abandoned,
        run_of: impl Fn(ServiceId, RunId) -> Option<(&'static Scope, Instant)>,
    ) -> Vec<Straggler> {
        let mut stragglers = Vec::new();
        if left.main {
            let root = self.supervisor.root();
            stragglers.push(Straggler {
                kind: StragglerKind::Main,
                name: None,
                location: None,
                function: None,
                label: None,
                owner: None,
                count: 1,
                oldest: Some(self.now.duration_since(self.began)),
                activity: self.activity_of_body(root),
            });
        }
        for &(id, run) in &left.services {
            let Some((scope, began)) = run_of(id, run) else { continue };
            stragglers.push(Straggler {
                kind: StragglerKind::Service,
                name: Some(scope.name()),
                location: Some(scope.location),
                function: None,
                label: None,
                owner: None,
                count: 1,
                oldest: Some(self.now.duration_since(began)),
                activity: self.activity_of_body(scope),
            });
        }
        let owners: Vec<_> = left.sessions.iter().map(|&(owner, _)| owner).collect();
        let found = snapshot_sessions(self.supervisor, self.watch, &owners, self.now);
        stragglers.extend(found.into_iter().map(|found| self.session(found)));
        stragglers
    }

    /// What a service that is polled, and has not stopped, may wait for: sessions of others that were abandoned
    /// before and are not dropped yet.
    pub(super) fn abandoned_sessions_of_others(&self, service: &Scope) -> Vec<String> {
        if body_blocks_since(service, self.watch).is_some() {
            return Vec::new();
        }
        let scopes = self.supervisor.scopes().into_iter();
        let of_others = scopes.filter(|scope| scope.is_abandoned() && !std::ptr::eq(scope.home(), service));
        let owners: Vec<_> = of_others.map(|scope| scope.owner).collect();
        let mut groups = snapshot_sessions(self.supervisor, self.watch, &owners, self.now);
        let more = groups.split_off(groups.len().min(OTHERS)).len();
        let mut names: Vec<_> = groups.into_iter().map(|group| self.session(group).to_string()).collect();
        if more > 0 {
            names.push(format!("and {more} more rows"));
        }
        names
    }

    fn session(&self, found: SessionGroup) -> Straggler {
        let SessionGroup { kind, site, scope, count, oldest, activity, request, label } = found;
        let Site { name, function, .. } = site;
        Straggler {
            kind: match kind {
                _ if request.is_some() => StragglerKind::Request,
                Kind::Blocking => StragglerKind::Blocking,
                _ => StragglerKind::Session,
            },
            name: request.or_else(|| name.map(str::to_owned)),
            location: Some(site.location()),
            function: Some(function().to_owned()),
            label,
            owner: Some(scope.home()).filter(|home| home.owner != Owner::Root).map(Scope::name),
            count,
            oldest,
            activity,
        }
    }

    fn activity_of_body(&self, scope: &Scope) -> Activity {
        match body_blocks_since(scope, self.watch) {
            Some(since) => Activity::Blocking { since: self.now.duration_since(since) },
            None => Activity::Waiting,
        }
    }
}

//! What the machine would otherwise search all services for: counters, timers and queues.
//!
//! Whatever changes a service touches it. [`State::refresh`] then derives the service's [`Facts`] anew and
//! corrects everything here by the difference. So an input costs in proportion to the services that it
//! concerns, however many there are.
//!
//! The tests compare all of it with a search after every input.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::id::{Owner, RunId, ServiceId};
use super::location::Location;
use super::names::Names;
use super::service::{Request, Service, ServiceOutcome, Stage, UserState};
use super::spec::ServiceSpec;
use super::state::State;
use super::time::Time;

/// So many ended children of one place keep their ids, so that later ones can still name them. The ids of
/// all others go to later children.
const ENDED_KEPT: usize = 32;

/// What the whole of the services comes to.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    touched: Vec<ServiceId>,
    /// Those that were touched since the control plane asked last.
    changed: Vec<ServiceId>,
    unfinished: usize,
    running: usize,
    waiting: usize,
    open_requests: usize,
    /// How many services are not drained, by stop level.
    undrained: BTreeMap<usize, usize>,
    stop_ends: BTreeSet<(Time, ServiceId)>,
    start_ends: BTreeSet<(Time, ServiceId)>,
    /// Restarts that are not due yet.
    restarts: BTreeSet<(Time, ServiceId)>,
    group_ends: BTreeSet<(Time, usize)>,
    root_groups: Vec<usize>,
    /// Services whose request may have to rise, whose turn to stop or to start may have come.
    pub(super) for_request: BTreeSet<ServiceId>,
    pub(super) for_stop: BTreeSet<ServiceId>,
    pub(super) for_start: BTreeSet<ServiceId>,
    /// The services that others can name.
    names: Names,
    /// All services, by their whole names.
    paths: HashMap<String, BTreeSet<ServiceId>>,
    /// Ended children by their place, in the order in which they ended.
    ended: HashMap<Location, BTreeSet<(u64, ServiceId)>>,
    ended_so_far: u64,
    /// How many ended children have given their ids away.
    forgotten: u64,
}

/// A service's part in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    facts: Facts,
    is_touched: bool,
    is_changed: bool,
    undrained_children: usize,
    /// How many services it stops after, and still waits for.
    blockers: usize,
    groups: Vec<usize>,
}

/// What follows from a service's state. The default is that of a service that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Facts {
    unfinished: bool,
    running: Option<RunId>,
    waiting: bool,
    request: Option<Request>,
    open_request: bool,
    lets_dependents_start: bool,
    lets_bound_start: bool,
    /// Its stop level, while it is not drained.
    undrained: Option<usize>,
    /// What stops after it waits for it.
    blocks: bool,
    stop_ends: Option<Time>,
    start_ends: Option<Time>,
    restart: Option<Time>,
    known: bool,
    /// It is a child that is gone altogether; which one, counted by their ends.
    ended: Option<u64>,
}

impl Index {
    /// Looks at a service in the next round of decisions.
    fn consider(&mut self, id: ServiceId) {
        self.for_request.insert(id);
        self.for_stop.insert(id);
        self.for_start.insert(id);
    }

    pub(super) fn all_are_over(&self) -> bool {
        self.unfinished == 0
    }

    pub(super) fn any_runs(&self) -> bool {
        self.running > 0
    }

    pub(super) fn any_waits_to_start(&self) -> bool {
        self.waiting > 0
    }

    pub(super) fn any_request_open(&self) -> bool {
        self.open_requests > 0
    }

    pub(super) fn is_drained_up_to(&self, level: usize) -> bool {
        self.undrained.keys().next().is_none_or(|&lowest| lowest > level)
    }

    pub(super) fn next_stop_end(&self) -> Option<Time> {
        first(&self.stop_ends)
    }

    pub(super) fn next_start_end(&self) -> Option<Time> {
        first(&self.start_ends)
    }

    pub(super) fn last_start_end(&self) -> Option<Time> {
        self.start_ends.last().map(|&(time, _)| time)
    }

    pub(super) fn next_restart(&self) -> Option<Time> {
        first(&self.restarts)
    }

    pub(super) fn next_group_end(&self) -> Option<Time> {
        first(&self.group_ends)
    }

    /// Services whose time to stop is up, in the order of their ids.
    pub(super) fn stops_due(&self, now: Time) -> Vec<ServiceId> {
        due(&self.stop_ends, now)
    }

    /// Services whose time to become ready is up, in the order of their ids.
    pub(super) fn starts_due(&self, now: Time) -> Vec<ServiceId> {
        due(&self.start_ends, now)
    }

    pub(super) fn groups_due(&self, now: Time) -> Vec<usize> {
        due(&self.group_ends, now)
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// The services of this whole name.
    pub(super) fn of_path(&self, path: &str) -> impl Iterator<Item = ServiceId> {
        self.paths.get(path).into_iter().flatten().copied()
    }
}

fn first<T: Ord>(timers: &BTreeSet<(Time, T)>) -> Option<Time> {
    timers.first().map(|&(time, _)| time)
}

fn due<T: Copy + Ord>(timers: &BTreeSet<(Time, T)>, now: Time) -> Vec<T> {
    let mut due: Vec<_> = timers.iter().take_while(|&&(time, _)| time <= now).map(|&(_, id)| id).collect();
    due.sort_unstable();
    due
}

fn count(counter: &mut usize, before: bool, now: bool) {
    *counter = *counter + usize::from(now) - usize::from(before);
}

fn move_timer<T: Copy + Ord>(timers: &mut BTreeSet<(Time, T)>, id: T, before: Option<Time>, now: Option<Time>) {
    if before != now {
        before.inspect(|&time| {
            timers.remove(&(time, id));
        });
        now.inspect(|&time| {
            timers.insert((time, id));
        });
    }
}

fn touch(services: &mut [Service], touched: &mut Vec<ServiceId>, id: ServiceId) {
    if !std::mem::replace(&mut services[id.0].entry.is_touched, true) {
        touched.push(id);
    }
}

impl State {
    /// The service, to change it.
    pub(super) fn service_mut(&mut self, id: ServiceId) -> &mut Service {
        touch(&mut self.services, &mut self.index.touched, id);
        &mut self.services[id.0]
    }

    /// The same, if the service is still in this run.
    pub(super) fn in_run_mut(&mut self, id: ServiceId, run: RunId) -> Option<&mut Service> {
        self.services.get(id.0).filter(|service| service.run == run)?;
        Some(self.service_mut(id))
    }

    pub(super) fn touch_all(&mut self) {
        for id in self.ids() {
            touch(&mut self.services, &mut self.index.touched, id);
        }
    }

    /// Changes a group of sessions.
    pub(super) fn change_group(&mut self, group: usize, change: impl FnOnce(&mut super::service::Group)) {
        let before = self.groups[group].time_ends();
        change(&mut self.groups[group]);
        let after = self.groups[group].time_ends();
        move_timer(&mut self.index.group_ends, group, before, after);
        if let Owner::Service(id) = self.groups[group].home
            && id.0 < self.services.len()
        {
            touch(&mut self.services, &mut self.index.touched, id);
        }
    }

    /// Notes whose a new group is.
    pub(super) fn index_group(&mut self, group: usize) {
        match self.groups[group].home {
            Owner::Service(id) if id.0 < self.services.len() => self.service_mut(id).entry.groups.push(group),
            _ => self.index.root_groups.push(group),
        }
        let ends = self.groups[group].time_ends();
        move_timer(&mut self.index.group_ends, group, None, ends);
    }

    /// The groups of sessions under an owner.
    pub(super) fn groups_of(&self, home: Owner) -> &[usize] {
        match home {
            Owner::Root => &self.index.root_groups,
            Owner::Service(id) => &self.service(id).entry.groups,
            Owner::Group(_) => &[],
        }
    }

    /// Restarts whose pause is over come up for a decision.
    pub(super) fn note_time(&mut self) {
        for id in due(&self.index.restarts, self.now) {
            touch(&mut self.services, &mut self.index.touched, id);
        }
    }

    /// Brings the index up to date with every service that was touched.
    pub(super) fn refresh(&mut self) {
        while let Some(id) = self.index.touched.pop() {
            self.services[id.0].entry.is_touched = false;
            self.note(id, self.facts(id));
        }
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.index.touched.is_empty()
    }

    fn facts(&self, id: ServiceId) -> Facts {
        let service = self.service(id);
        let drained = self.is_itself_drained(id) && service.entry.undrained_children == 0;
        let outcome = match service.stage {
            Stage::Over(outcome) => Some(outcome),
            _ => None,
        };
        let is_planned = self.plan.parent(id) == service.spec.parent.map(|parent| parent.id);
        let has_ended = drained && service.user_state == UserState::Dropped && service.spec.parent.is_some();
        Facts {
            unfinished: outcome.is_none(),
            running: service.is_running().then_some(service.run),
            waiting: service.waits_to_start(),
            request: service.request,
            open_request: service.request.is_some() && !(outcome.is_some() && drained),
            lets_dependents_start: service.lets_dependents_start(),
            lets_bound_start: service.lets_bound_start(),
            undrained: (!drained).then(|| self.level(id)),
            blocks: !drained && (self.is_ending() || service.request.is_some()),
            stop_ends: self.time_ends(id),
            start_ends: self.start_times_out(id),
            restart: service.starts_again_at().filter(|&until| until > self.now),
            known: match outcome {
                Some(ServiceOutcome::Refused) => false,
                // A child that never was in the plan hears nothing of its parent.
                Some(_) => !drained || is_planned && self.parent_run_alive(id),
                None => true,
            },
            ended: has_ended.then(|| service.entry.facts.ended.unwrap_or(self.index.ended_so_far)),
        }
    }

    /// Replaces what is known of a service, and corrects what follows from it.
    fn note(&mut self, id: ServiceId, new: Facts) {
        let Self { services, index, plan, .. } = self;
        let old = std::mem::replace(&mut services[id.0].entry.facts, new);
        index.consider(id);
        if !std::mem::replace(&mut services[id.0].entry.is_changed, true) {
            index.changed.push(id);
        }
        if old == new {
            return;
        }
        count(&mut index.unfinished, old.unfinished, new.unfinished);
        count(&mut index.running, old.running.is_some(), new.running.is_some());
        count(&mut index.waiting, old.waiting, new.waiting);
        count(&mut index.open_requests, old.open_request, new.open_request);
        move_timer(&mut index.stop_ends, id, old.stop_ends, new.stop_ends);
        move_timer(&mut index.start_ends, id, old.start_ends, new.start_ends);
        move_timer(&mut index.restarts, id, old.restart, new.restart);
        if old.undrained != new.undrained {
            if let Some(level) = new.undrained {
                *index.undrained.entry(level).or_default() += 1;
            }
            if let Some(level) = old.undrained
                && let Some(left) = index.undrained.get_mut(&level)
            {
                *left -= 1;
                if *left == 0 {
                    index.undrained.remove(&level);
                }
            }
        }
        if old.blocks != new.blocks {
            for &other in plan.stop_order().stops_before(id) {
                count_blocker(&mut services[other.0], old.blocks, new.blocks);
                index.consider(other);
            }
        }
        let was_drained = old.undrained.is_none();
        let is_drained = new.undrained.is_none();
        if was_drained != is_drained
            && let Some(parent) = plan.parent(id)
        {
            count(&mut services[parent.0].entry.undrained_children, !was_drained, !is_drained);
            touch(services, &mut index.touched, parent);
        }
        if (old.request, old.running) != (new.request, new.running) {
            for &child in plan.children(id) {
                touch(services, &mut index.touched, child);
            }
        }
        let shown =
            |of: Facts| (of.request, of.running, of.lets_dependents_start, of.lets_bound_start, of.undrained.is_none());
        if shown(old) != shown(new) {
            let concerned = plan.needed_by(id).iter().chain(plan.bound_dependents(id)).copied();
            concerned.chain(plan.is_bound_to(id)).for_each(|other| index.consider(other));
        }
        if old.known != new.known {
            index.names.set(id, &services[id.0].spec, new.known);
        }
        if old.ended != new.ended {
            let location = services[id.0].spec.location;
            let ended = index.ended.entry(location).or_default();
            if let Some(number) = old.ended {
                ended.remove(&(number, id));
            }
            if let Some(number) = new.ended {
                ended.insert((number, id));
                index.ended_so_far += 1;
            }
            if ended.is_empty() {
                index.ended.remove(&location);
            }
        }
    }

    /// Derives everything from the present plan and state.
    pub(super) fn index_anew(&mut self) {
        for service in &mut self.services {
            service.entry.facts = Facts { ended: service.entry.facts.ended, ..Facts::default() };
            service.entry.undrained_children = 0;
            service.entry.blockers = 0;
        }
        let before = std::mem::take(&mut self.index);
        self.index = Index {
            touched: before.touched,
            changed: before.changed,
            group_ends: before.group_ends,
            paths: before.paths,
            root_groups: before.root_groups,
            ended: before.ended,
            ended_so_far: before.ended_so_far,
            forgotten: before.forgotten,
            ..Index::default()
        };
        self.touch_all();
        self.refresh();
    }

    /// Puts a service in the place of one that is gone, or at the end.
    pub(super) fn place(&mut self, id: ServiceId, mut service: Service) {
        self.refresh();
        let gone = self.services.get(id.0).map(|gone| gone.spec.name.clone());
        if gone.as_ref() != Some(&service.spec.name) {
            if let Some(gone) = gone.as_ref().and_then(|gone| self.index.paths.get_mut(gone)) {
                gone.remove(&id);
                self.index.forgotten += 1;
            }
            if let Some(gone) = gone.as_ref().filter(|gone| self.index.of_path(gone).next().is_none()) {
                self.index.paths.remove(gone);
            }
            self.index.paths.entry(service.spec.name.clone()).or_default().insert(id);
        }
        if gone.is_some() {
            self.note(id, Facts::default());
            service.entry = self.services[id.0].entry.clone();
            self.services[id.0] = service;
            // In a stop the order stays as it was when that began: sessions of the number may still come up.
            if !self.phase.is_stopping() && !self.has_live_dependents(id) {
                self.plan.detach(id);
                self.services[id.0].entry.blockers = 0;
                self.services[id.0].entry.undrained_children = 0;
            }
        } else {
            self.services.push(service);
        }
        touch(&mut self.services, &mut self.index.touched, id);
        self.refresh();
    }

    /// Does something that is not gone refer to the service of this id?
    pub(super) fn has_live_dependents(&self, id: ServiceId) -> bool {
        let is_gone = |&other: &ServiceId| {
            let other = self.service(other);
            other.user_state == UserState::Dropped && other.entry.facts.undrained.is_none()
        };
        !(self.plan.needed_by(id).iter().all(is_gone)
            && self.plan.bound_dependents(id).iter().all(is_gone)
            && self.plan.children(id).iter().all(is_gone))
    }

    /// Adds a service that nothing refers to yet to the plan.
    ///
    /// Returns false if the plan must be made anew for it.
    pub(super) fn attach(&mut self, id: ServiceId, after: Vec<ServiceId>, bound_to: Vec<ServiceId>) -> bool {
        self.note(id, Facts::default());
        let parent = self.service(id).spec.parent.map(|parent| parent.id);
        let fits = self.plan.attach(id, parent, after, bound_to);
        if fits {
            let blockers = self.plan.stop_order().stops_after(id);
            self.services[id.0].entry.blockers =
                blockers.iter().filter(|other| self.services[other.0].entry.facts.blocks).count();
        }
        touch(&mut self.services, &mut self.index.touched, id);
        fits
    }

    /// The id that a service gets: that of one of its name that is gone for good; for a child, that of an
    /// ended one of its place; or a new one.
    pub(crate) fn number_for(&self, spec: &ServiceSpec) -> ServiceId {
        debug_assert!(self.is_fresh());
        let is_gone = |id: &ServiceId| {
            let service = self.service(*id);
            service.user_state == UserState::Dropped && service.entry.facts.undrained.is_none()
        };
        let gone = self.index.of_path(&spec.name).find(is_gone);
        gone.or_else(|| self.ended_child(spec)).unwrap_or(ServiceId(self.services.len()))
    }

    fn ended_child(&self, spec: &ServiceSpec) -> Option<ServiceId> {
        let ended = spec.parent.and_then(|_| self.index.ended.get(&spec.location))?;
        let spare = ended.len().checked_sub(ENDED_KEPT)?.min(ENDED_KEPT);
        ended.iter().take(spare).map(|&(_, id)| id).find(|&id| !self.has_live_dependents(id))
    }

    /// How many ended children are in no list any more.
    pub(crate) fn forgotten_children(&self) -> u64 {
        self.index.forgotten
    }

    /// The services that were touched since the last call.
    pub(crate) fn take_changed(&mut self) -> Vec<ServiceId> {
        let changed = std::mem::take(&mut self.index.changed);
        changed.iter().for_each(|id| self.services[id.0].entry.is_changed = false);
        changed
    }

    /// Is nothing left of a service, its sessions and its children included?
    pub(crate) fn is_drained(&self, id: ServiceId) -> bool {
        debug_assert!(self.is_fresh());
        self.service(id).entry.facts.undrained.is_none()
    }

    pub(super) fn are_children_drained(&self, id: ServiceId) -> bool {
        debug_assert!(self.is_fresh());
        self.service(id).entry.undrained_children == 0
    }

    /// Is something left of those that stop before it? While the program runs, they count if they are to
    /// stop as well: a new run disturbs only those that are bound to it.
    pub(super) fn is_needed(&self, id: ServiceId) -> bool {
        debug_assert!(self.is_fresh());
        self.service(id).entry.blockers > 0
    }

    pub(super) fn is_known(&self, id: ServiceId) -> bool {
        debug_assert!(self.is_fresh());
        self.service(id).entry.facts.known
    }

    /// Looks at all of these when stops are decided next.
    pub(super) fn consider_stops(&mut self, ids: impl IntoIterator<Item = ServiceId>) {
        self.index.for_stop.extend(ids);
    }
}

fn count_blocker(service: &mut Service, before: bool, now: bool) {
    count(&mut service.entry.blockers, before, now);
}

#[cfg(test)]
use super::phase::Phase;

#[cfg(test)]
impl State {
    /// Compares the index with a search through all services.
    ///
    /// # Panics
    ///
    /// If they differ.
    pub(super) fn check_index(&self) {
        assert!(self.is_fresh(), "something was touched and not looked at");
        let mut anew = self.clone();
        anew.index_anew();
        let timers = |state: &Self| (state.index.stop_ends.clone(), state.index.start_ends.clone());
        assert_eq!(timers(self), timers(&anew));
        assert_eq!(self.index.undrained, anew.index.undrained);
        assert_eq!(self.index.restarts, anew.index.restarts.split_off(&(self.now, ServiceId(0))));
        assert_eq!(
            (self.index.unfinished, self.index.running, self.index.waiting, self.index.open_requests),
            (anew.index.unfinished, anew.index.running, anew.index.waiting, anew.index.open_requests)
        );
        let groups = self.groups.iter().enumerate();
        let ends: BTreeSet<_> = groups.filter_map(|(id, group)| Some((group.time_ends()?, id))).collect();
        assert_eq!(self.index.group_ends, ends);
        for id in self.ids() {
            let (kept, found) = (&self.service(id).entry, &anew.service(id).entry);
            let facts = |entry: &Entry| (entry.facts, entry.undrained_children, entry.blockers);
            assert_eq!(facts(kept), facts(found), "{}", self.service(id).spec);
        }
        self.check_decisions();
    }

    /// Nothing that could be decided is left undecided: no queue has missed a service.
    fn check_decisions(&self) {
        let supervises = self.has_run && (Phase::Running..Phase::Stopping(0)).contains(&self.phase);
        let last_level = self.stop.as_ref().map_or(0, |stop| stop.schedule.budget().last_level());
        for id in self.ids() {
            let spec = &self.service(id).spec;
            let turn = match self.phase {
                Phase::Stopping(level) => level == last_level || self.level(id) <= level,
                Phase::TearingDown => true,
                _ => supervises && self.service(id).request.is_some(),
            };
            assert!(!(turn && self.awaits_stop(id) && !self.is_needed(id)), "{spec} is not signalled");
            // What was never in the plan has no body and no sessions to stop.
            let is_planned = self.plan.parent(id) == self.service(id).spec.parent.map(|parent| parent.id);
            if supervises && is_planned {
                assert!(!self.may_start(self.now, id), "{spec} may start");
                assert!(self.inherited_request(id) <= self.service(id).request, "{spec} has missed a request");
            }
        }
    }
}

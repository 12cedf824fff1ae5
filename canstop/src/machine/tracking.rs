//! Keeps the index up to date with the services.

use super::facts::{Ended, Facts};
use super::id::{Owner, RunId, ServiceId};
use super::index::Index;
use super::service::{Group, Service};
use super::stage::UserState;
use super::state::State;
use super::timer::Timer;

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

    pub(super) fn touch(&mut self, id: ServiceId) {
        touch(&mut self.services, &mut self.index.touched, id);
    }

    pub(super) fn touch_all(&mut self) {
        self.ids().for_each(|id| self.touch(id));
    }

    /// Changes a group of sessions.
    pub(super) fn change_group(&mut self, id: usize, change: impl FnOnce(&mut Group)) {
        let group = &mut self.groups[id];
        let before = group.time_ends();
        change(group);
        self.index.timers.reset(Timer::GroupStop, id, before, group.time_ends());
        if let Owner::Service(home) = group.home
            && home.0 < self.services.len()
        {
            self.touch(home);
        }
    }

    /// Notes whose a new group is.
    pub(super) fn index_group(&mut self, id: usize) {
        let ends = self.groups[id].time_ends();
        match self.groups[id].home {
            Owner::Service(home) if home.0 < self.services.len() => self.service_mut(home).entry.groups.push(id),
            _ => self.index.root_groups.push(id),
        }
        self.index.timers.reset(Timer::GroupStop, id, None, ends);
    }

    /// The groups of sessions of an owner.
    pub(super) fn groups_of(&self, home: Owner) -> &[usize] {
        match home {
            Owner::Root => &self.index.root_groups,
            Owner::Service(id) => &self.service(id).entry.groups,
            Owner::Group(_) => &[],
        }
    }

    /// Restarts whose pause is over come up for a decision.
    pub(super) fn note_time(&mut self) {
        for id in self.index.services_due(Timer::Restart, self.now) {
            self.touch(id);
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
        let is_over = service.is_over();
        let is_planned = self.plan.contains(id);
        let is_gone_child = drained && service.user_state == UserState::Dropped && service.spec.parent.is_some();
        let number = service.entry.facts.ended.map_or(self.index.ended_so_far, |ended| ended.number);
        Facts {
            unfinished: !is_over,
            running: service.is_running().then_some(service.run),
            waiting: service.waits_to_start(),
            request: service.request,
            open_request: service.request.is_some() && !(is_over && drained),
            lets_dependents_start: service.lets_dependents_start(),
            lets_bound_start: service.lets_bound_start(),
            undrained: (!drained).then(|| self.level(id)),
            blocks: !drained && (self.is_ending() || service.request.is_some()),
            stop_ends: self.time_ends(id),
            start_ends: self.start_times_out(id),
            restart: service.starts_again_at().filter(|&until| until > self.now),
            is_known: is_planned && !service.is_refused,
            ended: is_gone_child.then_some(Ended { is_planned, number }),
        }
    }

    /// Replaces what is known of a service, and corrects what follows from it.
    pub(super) fn note(&mut self, id: ServiceId, new: Facts) {
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
        index.timers.reset(Timer::ServiceStop, id.0, old.stop_ends, new.stop_ends);
        index.timers.reset(Timer::ServiceStart, id.0, old.start_ends, new.start_ends);
        index.timers.reset(Timer::Restart, id.0, old.restart, new.restart);
        index.count_undrained(old.undrained, new.undrained);
        if old.blocks != new.blocks {
            for &other in plan.stop_order().stops_before(id) {
                count(&mut services[other.0].entry.blockers, old.blocks, new.blocks);
                index.consider(other);
            }
        }
        let (was_drained, is_drained) = (old.undrained.is_none(), new.undrained.is_none());
        if was_drained != is_drained
            && let Some(parent) = plan.parent(id)
        {
            count(&mut services[parent.0].entry.undrained_children, !was_drained, !is_drained);
            touch(services, &mut index.touched, parent);
        }
        if old.waiting != new.waiting
            && let Some(parent) = plan.parent(id)
        {
            count(&mut services[parent.0].entry.waiting_children, old.waiting, new.waiting);
            touch(services, &mut index.touched, parent);
        }
        if (old.request, old.running) != (new.request, new.running) {
            for &child in plan.children(id) {
                touch(services, &mut index.touched, child);
            }
        }
        let seen_by_others =
            |of: Facts| (of.request, of.running, of.lets_dependents_start, of.lets_bound_start, of.undrained.is_none());
        if seen_by_others(old) != seen_by_others(new) {
            let concerned = plan.needed_by(id).iter().chain(plan.bound_dependents(id)).copied();
            concerned.chain(plan.is_bound_to(id)).for_each(|other| index.consider(other));
        }
        let spec = &services[id.0].spec;
        if old.is_known != new.is_known {
            index.names.set(id, spec, new.is_known);
        }
        if old.ended != new.ended {
            index.list_ended(id, spec.location, old.ended, new.ended);
        }
    }

    /// Derives everything from the present plan and state.
    pub(super) fn index_anew(&mut self) {
        for service in &mut self.services {
            service.entry.facts = Facts { ended: service.entry.facts.ended, ..Facts::default() };
            service.entry.undrained_children = 0;
            service.entry.waiting_children = 0;
            service.entry.blockers = 0;
        }
        let before = std::mem::take(&mut self.index);
        self.index = Index {
            touched: before.touched,
            changed: before.changed,
            paths: before.paths,
            root_groups: before.root_groups,
            ended: before.ended,
            ended_so_far: before.ended_so_far,
            forgotten: before.forgotten,
            ..Index::default()
        };
        for (id, group) in self.groups.iter().enumerate() {
            self.index.timers.reset(Timer::GroupStop, id, None, group.time_ends());
        }
        self.touch_all();
        self.refresh();
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

    /// Is every child of a service over, and nothing left of it?
    pub(super) fn are_children_gone(&self, id: ServiceId) -> bool {
        debug_assert!(self.is_fresh());
        let entry = &self.service(id).entry;
        entry.undrained_children == 0 && entry.waiting_children == 0
    }

    /// Is something left of the services that stop before it? While the program runs, they count if they are to
    /// stop as well: a new run disturbs only those that are bound to it.
    pub(super) fn is_needed(&self, id: ServiceId) -> bool {
        debug_assert!(self.is_fresh());
        self.service(id).entry.blockers > 0
    }

    pub(super) fn is_known(&self, id: ServiceId) -> bool {
        debug_assert!(self.is_fresh());
        self.service(id).entry.facts.is_known
    }

    /// Looks at all of these when stops are decided next.
    pub(super) fn consider_stops(&mut self, ids: impl IntoIterator<Item = ServiceId>) {
        self.index.for_stop.extend(ids);
    }
}

fn touch(services: &mut [Service], touched: &mut Vec<ServiceId>, id: ServiceId) {
    if !std::mem::replace(&mut services[id.0].entry.is_touched, true) {
        touched.push(id);
    }
}

fn count(counter: &mut usize, before: bool, now: bool) {
    *counter = *counter + usize::from(now) - usize::from(before);
}

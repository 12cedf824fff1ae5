//! Which service needs which, as far as the plan is known, and which requests follow from that.

use super::Oracle;
use super::seen::Seen;
use crate::machine::id::ServiceId;
use crate::machine::spec::Reference;
use crate::machine::stage::Request;

impl Oracle {
    /// Resolves the names that services refer to, and derives which service needs which.
    pub(super) fn resolve(&mut self, ids: impl IntoIterator<Item = usize>) {
        let count = self.services.len();
        self.after.resize(count, Vec::new());
        self.bound_to.resize(count, Vec::new());
        for id in ids {
            self.after[id] = self.named(id, &self.services[id].spec.after);
            self.bound_to[id] = self.named(id, &self.services[id].spec.bound_to);
        }
        let needs = |id: usize| {
            let both_ways = |&&other: &&usize| other != id && leads_to(&self.bound_to, other, id);
            let one_way = self.bound_to[id].iter().filter(|other| !both_ways(other));
            self.after[id].iter().chain(one_way).copied().collect()
        };
        self.needs = (0..count).map(needs).collect();
        self.find_stops_before();
    }

    /// The services that references name: siblings first, then those of the nearest enclosing family.
    fn named(&self, id: usize, references: &[Reference]) -> Vec<usize> {
        let seen = &self.services[id];
        if !seen.planned {
            return Vec::new();
        }
        references.iter().flat_map(|reference| self.nearest(seen, reference)).collect()
    }

    fn nearest(&self, seen: &Seen, reference: &Reference) -> Vec<usize> {
        let mut family = seen.spec.parent.map(|parent| parent.id);
        loop {
            let is_named = |other: &usize| {
                let spec = &self.services[*other].spec;
                let has_name = matches!(reference, Reference::Name(name) if name == spec.short_name());
                let known = &self.services[*other];
                known.planned && !known.refused && has_name && spec.parent.map(|parent| parent.id) == family
            };
            let named: Vec<_> = (0..self.services.len()).filter(is_named).collect();
            match family {
                Some(ServiceId(parent)) if named.is_empty() => {
                    family = self.services[parent].spec.parent.map(|parent| parent.id);
                }
                _ => return named,
            }
        }
    }

    /// Does another service of the plan name this one?
    pub(super) fn is_named(&self, id: usize) -> bool {
        self.after.iter().chain(&self.bound_to).any(|named| named.contains(&id))
    }

    /// Takes the children of a service's earlier run out of the plan. The service itself leaves it as well when its id
    /// goes to another service, unless others name it.
    pub(super) fn leave_inside(&mut self, id: usize) {
        self.note_requests();
        let inside: Vec<_> = self.children(id).collect();
        for id in inside {
            self.leave_inside(id);
            self.leave(id);
        }
        if !self.services[id].live && !self.is_named(id) && self.services[id].outcome.is_some() {
            self.leave(id);
        }
    }

    pub(super) fn leave(&mut self, id: usize) {
        self.services[id].planned = false;
        self.after[id].clear();
        self.bound_to[id].clear();
    }

    pub(super) fn parent_run_alive(&self, id: usize) -> bool {
        self.services[id].spec.parent.is_none_or(|parent| {
            let seen = &self.services[parent.id.0];
            seen.live && seen.run == parent.run
        })
    }

    pub(super) fn children(&self, id: usize) -> impl Iterator<Item = usize> + '_ {
        let is_child = move |seen: &Seen| seen.planned && seen.spec.parent.is_some_and(|parent| parent.id.0 == id);
        (0..self.services.len()).filter(move |&other| is_child(&self.services[other]))
    }

    /// Its children, and the services that need it or one of its ancestors.
    pub(super) fn stops_after(&self, id: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.stops_before.len()).filter(move |&other| self.stops_before[other].contains(&id))
    }

    fn parent(&self, id: usize) -> Option<usize> {
        let Seen { planned, spec, .. } = &self.services[id];
        spec.parent.filter(|_| *planned).map(|parent| parent.id.0)
    }

    /// Returns true if it ends when the other one does.
    pub(super) fn cannot_be_without(&self, id: usize, other: usize) -> bool {
        self.needs[id].contains(&other) || self.children(other).any(|child| child == id)
    }

    /// Finds the services that each stops before. A service that needs another needs its children as well, unless
    /// that would reverse the order.
    fn find_stops_before(&mut self) {
        let count = self.services.len();
        let parent = |id: usize| self.parent(id);
        let mut stops_before: Vec<Vec<usize>> =
            (0..count).map(|id| self.needs[id].iter().copied().chain(parent(id)).collect()).collect();
        let is_inside =
            |inner: usize, of: usize| std::iter::successors(parent(inner), |&id| parent(id)).any(|id| id == of);
        for id in 0..count {
            for inner in 0..count {
                let is_needed = self.needs[id].iter().any(|&need| is_inside(inner, need));
                if is_needed && inner != id && !leads_to(&stops_before, inner, id) {
                    stops_before[id].push(inner);
                }
            }
        }
        self.stops_before = stops_before;
    }

    /// The services that restart with it.
    pub(super) fn restarts_with(&self, id: usize) -> Vec<usize> {
        (0..self.bound_to.len()).filter(|&other| other != id && leads_to(&self.bound_to, other, id)).collect()
    }

    /// The request of each service while the program runs.
    pub(super) fn requests(&self) -> Vec<Option<Request>> {
        let asked = |seen: &Seen| {
            let restarts = seen.restarts.map(|not_before| Request::Restart { not_before });
            restarts.max(seen.requested).max(seen.asked_to_stop.then_some(Request::Stop))
        };
        let mut requests: Vec<_> = self.services.iter().map(asked).collect();
        loop {
            let inherited = (0..requests.len()).map(|id| self.inherited(id, &requests).max(requests[id])).collect();
            if inherited == requests {
                return requests;
            }
            requests = inherited;
        }
    }

    /// A request to end remains, whatever happens to the service that it came from.
    pub(super) fn note_requests(&mut self) {
        for (request, seen) in self.requests().into_iter().zip(&mut self.services) {
            seen.requested = request.filter(|request| *request >= Request::EndWithParent);
        }
    }

    fn inherited(&self, id: usize, requests: &[Option<Request>]) -> Option<Request> {
        let seen = &self.services[id];
        if !seen.planned {
            return None;
        }
        let of_parent = seen.spec.parent.and_then(|parent| {
            let request = requests[parent.id.0];
            let ends = request.is_some() || !self.parent_run_alive(id);
            ends.then(|| if request == Some(Request::Stop) { Request::Stop } else { Request::EndWithParent })
        });
        let bound_peers = self.bound_to[id].iter().filter(|&&other| leads_to(&self.bound_to, other, id));
        let others = self.needs[id].iter().chain(bound_peers).filter_map(|&other| requests[other]);
        others.filter(|request| *request >= Request::EndWithParent).chain(of_parent).max()
    }

    /// The services that are to end for good.
    pub(super) fn to_stop(&self) -> Vec<bool> {
        self.requests().into_iter().map(|request| request >= Some(Request::EndWithParent)).collect()
    }

    /// Returns true if those that need it may start.
    pub(super) fn lets_start(&self, id: usize) -> bool {
        let seen = &self.services[id];
        match seen.outcome {
            Some(_) => seen.ended_for_others(),
            None => seen.was_ready,
        }
    }

    /// Returns true if all services are up whose restart restarts it.
    pub(super) fn bound_needs_are_up(&self, id: usize) -> bool {
        let requests = self.requests();
        let mut needs = self.bound_to[id].iter().filter(|other| self.needs[id].contains(other));
        needs.all(|&need| {
            let seen = &self.services[need];
            match seen.outcome {
                Some(_) => seen.ended_for_others(),
                None => seen.live && seen.ready && requests[need].is_none(),
            }
        })
    }

    /// Returns true once the drain delay is over.
    pub(super) fn is_ending(&self) -> bool {
        self.root_stop_by.is_some()
    }

    /// Returns true while something is left of the services that must stop before it.
    pub(super) fn is_needed(&self, id: usize) -> bool {
        let requests = self.requests();
        let stops = |other: usize| self.is_ending() || requests[other].is_some();
        self.stops_after(id).any(|other| stops(other) && !self.is_drained(other))
    }

    /// Returns true if everything is gone that must be gone before the next run.
    pub(super) fn may_start_again(&self, id: usize) -> bool {
        let seen = &self.services[id];
        let is_gone = |child: usize| self.services[child].outcome.is_some() && self.is_drained(child);
        let children_are_gone = self.children(id).all(is_gone);
        let own_are_gone = seen.stop_by.is_none() || self.is_drained(id);
        let requests = self.requests();
        let mut bound = self.restarts_with(id).into_iter();
        let bound_are_gone = bound.all(|other| requests[other].is_none() || self.is_drained(other));
        children_are_gone && own_are_gone && bound_are_gone && self.bound_needs_are_up(id)
    }

    /// The stop level of each service: one more than that of a service that needs it, or the same if both are in one
    /// family.
    pub(super) fn levels(&self) -> Vec<usize> {
        let mut levels = vec![0; self.services.len()];
        for _ in 0..levels.len() {
            for id in 0..levels.len() {
                for other in self.stops_after(id) {
                    let apart = usize::from(self.outermost(other) != self.outermost(id));
                    levels[id] = levels[id].max(levels[other] + apart);
                }
            }
        }
        for (level, _) in levels.iter_mut().zip(&self.services).filter(|(_, seen)| !seen.planned) {
            *level = usize::MAX;
        }
        levels
    }

    /// The step in which a service stops: the last one if it is not in the plan.
    pub(super) fn stop_level(&self, id: usize) -> usize {
        let level = self.stop.as_ref().and_then(|stop| stop.levels.get(id).copied());
        level.filter(|_| self.services[id].planned).unwrap_or(usize::MAX)
    }

    fn outermost(&self, id: usize) -> usize {
        self.parent(id).map_or(id, |parent| self.outermost(parent))
    }
}

/// Returns true if a path of at least one step leads from one to the other.
fn leads_to(graph: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; graph.len()];
    let mut next = graph[from].clone();
    while let Some(at) = next.pop() {
        if at == to {
            return true;
        }
        if !std::mem::replace(&mut seen[at], true) {
            next.extend(&graph[at]);
        }
    }
    false
}

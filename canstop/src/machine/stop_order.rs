//! What must be gone before a service is signalled.

use std::collections::BTreeSet;

use super::cycles::topological_order;
use super::id::ServiceId;

/// Dependents stop before those that they need, and before the children of these; children stop before
/// their parent.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopOrder {
    /// Whom each stops before.
    before: Vec<Vec<ServiceId>>,
    /// Whom each stops after.
    after: Vec<BTreeSet<ServiceId>>,
    /// A child stops before what its parent's dependents would stop before, somewhere: one more service may
    /// turn such a decision round.
    turns_round: bool,
}

impl StopOrder {
    /// `None` if services need each other in a circle.
    pub(crate) fn of(needs: &[Vec<ServiceId>], parents: &[Option<ServiceId>]) -> Option<Self> {
        let mut before: Vec<Vec<_>> =
            needs.iter().zip(parents).map(|(needs, parent)| needs.iter().chain(parent).copied().collect()).collect();
        let mut children = vec![Vec::new(); parents.len()];
        for (id, parent) in parents.iter().enumerate() {
            parent.iter().for_each(|parent| children[parent.0].push(ServiceId(id)));
        }
        let mut turns_round = false;
        for (id, needs) in needs.iter().enumerate() {
            for &need in needs {
                for inner in reachable(need, |at| &children[at.0]) {
                    if inner.0 == id || before[id].contains(&inner) {
                        continue;
                    }
                    // A child that needs something outside that needs its parent stops before that.
                    if reachable(inner, |at| &before[at.0]).contains(&ServiceId(id)) {
                        turns_round = true;
                    } else {
                        before[id].push(inner);
                    }
                }
            }
        }
        topological_order(&before)?;
        let mut after = vec![BTreeSet::new(); before.len()];
        for (id, others) in before.iter().enumerate() {
            others.iter().for_each(|other| {
                after[other.0].insert(ServiceId(id));
            });
        }
        Some(Self { before, after, turns_round })
    }

    /// Takes a service out of the order.
    pub(super) fn remove(&mut self, id: ServiceId) {
        if self.before.len() <= id.0 {
            return;
        }
        for other in std::mem::take(&mut self.before[id.0]) {
            self.after[other.0].remove(&id);
        }
        for other in std::mem::take(&mut self.after[id.0]) {
            self.before[other.0].retain(|&before| before != id);
        }
    }

    /// Makes room for a service.
    pub(super) fn make_room(&mut self, ServiceId(id): ServiceId) {
        let services = self.before.len().max(id + 1);
        self.before.resize_with(services, Vec::new);
        self.after.resize_with(services, BTreeSet::new);
    }

    /// Adds an order between two services.
    pub(super) fn link(&mut self, first: ServiceId, then: ServiceId) {
        if self.after[then.0].insert(first) {
            self.before[first.0].push(then);
        }
    }

    /// Has this order to be found out as a whole when a service comes to it?
    pub(super) fn turns_round(&self) -> bool {
        self.turns_round
    }

    /// Does `first` stop before `then`, directly or not?
    pub(super) fn leads_to(&self, first: ServiceId, then: ServiceId) -> bool {
        reachable(first, |at| self.stops_before(at)).contains(&then)
    }

    /// What must be gone before this one is signalled.
    pub(crate) fn stops_after(&self, ServiceId(id): ServiceId) -> &BTreeSet<ServiceId> {
        static NONE: BTreeSet<ServiceId> = BTreeSet::new();
        self.after.get(id).unwrap_or(&NONE)
    }

    /// What is signalled only when this one is gone.
    pub(crate) fn stops_before(&self, ServiceId(id): ServiceId) -> &[ServiceId] {
        self.before.get(id).map_or(&[], Vec::as_slice)
    }

    /// All services, those that stop first at the front.
    pub(crate) fn all(&self) -> Vec<ServiceId> {
        topological_order(&self.before).expect("no plan with a cycle is taken in, and no later service closes one")
    }
}

/// Whatever can be reached from `start`, which is among them only if a way leads back to it.
pub(crate) fn reachable<'a, I>(start: ServiceId, next: impl Fn(ServiceId) -> I) -> Vec<ServiceId>
where
    I: IntoIterator<Item = &'a ServiceId>,
{
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut ways: Vec<ServiceId> = next(start).into_iter().copied().collect();
    while let Some(at) = ways.pop() {
        if seen.insert(at) {
            found.push(at);
            ways.extend(next(at));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(needs: &[&[usize]], parents: &[Option<usize>]) -> StopOrder {
        let needs: Vec<Vec<_>> = needs.iter().map(|needs| needs.iter().copied().map(ServiceId).collect()).collect();
        let parents: Vec<_> = parents.iter().map(|parent| parent.map(ServiceId)).collect();
        StopOrder::of(&needs, &parents).unwrap()
    }

    #[test]
    fn who_needs_a_parent_stops_before_its_children() {
        // A shop with a till, which has a drawer, and a street outside.
        let order = order(&[&[], &[], &[], &[0]], &[None, Some(0), Some(1), None]);
        assert_eq!(order.all(), [3, 2, 1, 0].map(ServiceId));
        assert!(order.stops_after(ServiceId(2)).iter().eq(&[ServiceId(3)]));
    }

    #[test]
    fn a_child_that_needs_its_parents_dependent_stops_before_that() {
        let order = order(&[&[], &[2], &[0]], &[None, Some(0), None]);
        assert_eq!(order.all(), [1, 2, 0].map(ServiceId));
    }

    #[test]
    fn two_families_that_need_each_others_heads_have_an_order_all_the_same() {
        let order = order(&[&[], &[], &[1], &[0]], &[None, None, Some(0), Some(1)]);
        assert_eq!(order.all(), [2, 3, 0, 1].map(ServiceId));
    }
}

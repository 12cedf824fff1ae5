//! Who must be gone before whom is told to stop.

use super::cycles::topological_order;
use super::id::ServiceId;

/// Dependents stop before those that they need, and before the children of these; children stop before
/// their parent.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopOrder {
    /// Whom each stops before.
    before: Vec<Vec<ServiceId>>,
    /// Whom each stops after.
    after: Vec<Vec<ServiceId>>,
    all: Vec<ServiceId>,
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
        for (id, needs) in needs.iter().enumerate() {
            for &need in needs {
                for inner in reachable(need, |at| &children[at.0]) {
                    // A child that needs somebody outside who needs its parent stops before that one.
                    let turns_round = inner.0 == id || reachable(inner, |at| &before[at.0]).contains(&ServiceId(id));
                    if !turns_round && !before[id].contains(&inner) {
                        before[id].push(inner);
                    }
                }
            }
        }
        let all = topological_order(&before)?;
        let mut after = vec![Vec::new(); before.len()];
        for (id, others) in before.iter().enumerate() {
            others.iter().for_each(|other| after[other.0].push(ServiceId(id)));
        }
        Some(Self { before, after, all })
    }

    /// Who must be gone before this one is told to stop.
    pub(crate) fn stops_after(&self, ServiceId(id): ServiceId) -> &[ServiceId] {
        self.after.get(id).map_or(&[], Vec::as_slice)
    }

    /// Who is told to stop only when this one is gone.
    pub(crate) fn stops_before(&self, ServiceId(id): ServiceId) -> &[ServiceId] {
        self.before.get(id).map_or(&[], Vec::as_slice)
    }

    /// Everybody, those that stop first at the front.
    pub(crate) fn all(&self) -> &[ServiceId] {
        &self.all
    }
}

/// Whoever can be reached from `start`, which is among them only if a way leads back to it.
pub(crate) fn reachable<'a>(start: ServiceId, next: impl Fn(ServiceId) -> &'a [ServiceId]) -> Vec<ServiceId> {
    let mut found: Vec<ServiceId> = Vec::new();
    let mut ways = next(start).to_vec();
    while let Some(at) = ways.pop() {
        if !found.contains(&at) {
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
        assert_eq!(order.stops_after(ServiceId(2)), [ServiceId(3)]);
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

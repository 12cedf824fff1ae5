//! Which service needs which: checked as a whole before anything starts.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use super::cycles::cycles;
use super::id::ServiceId;
use super::names::{Names, PlanEntry};
use super::restart::Restart;
use super::spec::ServiceSpec;
use super::stop_order::{StopOrder, reachable};

/// The graph of a plan without faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// By id. A service without a node is not in the plan: it never starts, or belongs to a run that is over.
    nodes: Vec<Option<Node>>,
    stop_order: StopOrder,
}

/// The relations of one service to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    parent: Option<ServiceId>,
    children: BTreeSet<ServiceId>,
    /// The services that it names in `after`.
    after: Vec<ServiceId>,
    /// Those whose restart restarts it.
    bound_to: Vec<ServiceId>,
    bound_dependents: BTreeSet<ServiceId>,
    /// Those that need it.
    needed_by: BTreeSet<ServiceId>,
    /// Those it starts after, and stops before: the former and the latter, but for those that are bound
    /// to it as well. They are a group, and have no order among themselves.
    needs: Vec<ServiceId>,
}

impl Plan {
    /// Resolves every reference, or names all that is wrong.
    ///
    /// # Errors
    ///
    /// Unknown references, cycles, names that stand twice, options that contradict each other.
    pub(crate) fn check(services: &[PlanEntry<'_>], grace: Duration) -> Result<Self, Faults> {
        Self::default().extended(services, grace, |_| true)
    }

    /// The same for one more service, new or in the place of another. Whom the others named stays as it
    /// was found out: what comes later does not change their order.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub(crate) fn with(&self, new: ServiceId, services: &[PlanEntry<'_>], grace: Duration) -> Result<Self, Faults> {
        self.extended(services, grace, |id| id == new)
    }

    fn extended(
        &self,
        services: &[PlanEntry<'_>],
        grace: Duration,
        is_new: impl Fn(ServiceId) -> bool,
    ) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        check_options(services, grace, &is_new, &mut faults);
        let names = Names::of(services);
        let node = |(id, entry): (usize, &PlanEntry<'_>)| {
            if is_new(ServiceId(id)) {
                return Some(Node::of(entry, &names, services, &mut faults));
            }
            self.nodes.get(id)?.as_ref().map(Node::named)
        };
        let nodes = services.iter().enumerate().map(node).collect();
        let plan = Self::derive(nodes).unwrap_or_else(|needs| {
            faults.extend(cycles(&needs).iter().map(|cycle| describe_cycle(cycle, services)));
            Self::default()
        });
        if faults.is_empty() { Ok(plan) } else { Err(Faults(faults)) }
    }

    /// What follows from what the services say themselves.
    ///
    /// # Errors
    ///
    /// What each needs, if that is a circle.
    fn derive(mut nodes: Vec<Option<Node>>) -> Result<Self, Vec<Vec<ServiceId>>> {
        find_needs(&mut nodes);
        find_reverse(&mut nodes);
        let mut plan = Self { nodes, stop_order: StopOrder::default() };
        plan.stop_order = plan.find_stop_order().ok_or_else(|| plan.all_needs())?;
        Ok(plan)
    }

    fn all_needs(&self) -> Vec<Vec<ServiceId>> {
        self.nodes.iter().map(|node| node.as_ref().map(|node| node.needs.clone()).unwrap_or_default()).collect()
    }

    fn find_stop_order(&self) -> Option<StopOrder> {
        let parents: Vec<_> = self.nodes.iter().map(|node| node.as_ref()?.parent).collect();
        StopOrder::of(&self.all_needs(), &parents)
    }

    /// Is the service in the plan? Others can name only those that are.
    pub(crate) fn contains(&self, ServiceId(id): ServiceId) -> bool {
        self.nodes.get(id).is_some_and(Option::is_some)
    }

    /// Does another service name this one in `after` or `bound_to`?
    pub(super) fn is_named(&self, id: ServiceId) -> bool {
        let Node { needed_by, bound_dependents, .. } = self.node(id);
        !(needed_by.is_empty() && bound_dependents.is_empty())
    }

    /// Everything that is inside of a service: its children, theirs, and so on.
    pub(super) fn inside(&self, id: ServiceId) -> Vec<ServiceId> {
        reachable(id, |at| self.children(at))
    }

    /// Takes services out of the plan. None but each other may name them, or be their children.
    ///
    /// Returns true if that changed the order of the others.
    pub(super) fn remove(&mut self, ids: &[ServiceId]) -> bool {
        let mut any = false;
        for &id in ids {
            let Some(Node { parent, after, bound_to, .. }) = self.nodes.get_mut(id.0).and_then(Option::take) else {
                continue;
            };
            any = true;
            for other in after.iter().chain(&bound_to) {
                if let Some(other) = &mut self.nodes[other.0] {
                    other.needed_by.remove(&id);
                    other.bound_dependents.remove(&id);
                }
            }
            if let Some(parent) = parent.and_then(|parent| self.nodes[parent.0].as_mut()) {
                parent.children.remove(&id);
            }
            self.stop_order.remove(id);
        }
        let is_reordered = any && self.stop_order.turns_round();
        if is_reordered && let Some(stop_order) = self.find_stop_order() {
            self.stop_order = stop_order;
        }
        is_reordered
    }

    /// Adds a service that is not in the plan, at a cost that does not depend on the others. Returns false where only
    /// the whole tells what stops before what; the plan is then unchanged, and is to be made anew.
    #[must_use]
    pub(super) fn add(
        &mut self,
        id: ServiceId,
        parent: Option<ServiceId>,
        after: Vec<ServiceId>,
        bound_to: Vec<ServiceId>,
    ) -> bool {
        debug_assert!(!self.contains(id));
        if self.stop_order.turns_round() {
            return false;
        }
        let needs: BTreeSet<_> = after.iter().chain(&bound_to).copied().collect();
        if !self.add_to_stop_order(id, parent, &needs) {
            self.stop_order.remove(id);
            return false;
        }
        if self.nodes.len() <= id.0 {
            self.nodes.resize_with(id.0 + 1, || None);
        }
        for need in &needs {
            self.node_mut(*need).needed_by.insert(id);
        }
        for other in &bound_to {
            self.node_mut(*other).bound_dependents.insert(id);
        }
        if let Some(parent) = parent {
            self.node_mut(parent).children.insert(id);
        }
        let needs = needs.into_iter().collect();
        self.nodes[id.0] = Some(Node { parent, after, bound_to, needs, ..Node::default() });
        true
    }

    fn add_to_stop_order(&mut self, id: ServiceId, parent: Option<ServiceId>, needs: &BTreeSet<ServiceId>) -> bool {
        self.stop_order.make_room(id);
        for need in needs.iter().chain(&parent) {
            self.stop_order.link(id, *need);
        }
        for inner in needs.iter().flat_map(|&need| self.inside(need)).collect::<BTreeSet<_>>() {
            if self.stop_order.leads_to(inner, id) {
                return false;
            }
            self.stop_order.link(id, inner);
        }
        let outer = std::iter::successors(parent, |&outer| self.parent(outer));
        for dependent in outer.flat_map(|outer| self.needed_by(outer).clone()).collect::<BTreeSet<_>>() {
            if self.stop_order.leads_to(id, dependent) {
                return false;
            }
            self.stop_order.link(dependent, id);
        }
        true
    }

    fn node_mut(&mut self, ServiceId(id): ServiceId) -> &mut Node {
        self.nodes[id].as_mut().expect("only services of the plan are named, or have children")
    }

    /// A service that is not in the plan has no relations.
    fn node(&self, ServiceId(id): ServiceId) -> &Node {
        static ALONE: Node = Node {
            parent: None,
            children: BTreeSet::new(),
            after: Vec::new(),
            bound_to: Vec::new(),
            bound_dependents: BTreeSet::new(),
            needed_by: BTreeSet::new(),
            needs: Vec::new(),
        };
        self.nodes.get(id).and_then(Option::as_ref).unwrap_or(&ALONE)
    }

    pub(super) fn parent(&self, id: ServiceId) -> Option<ServiceId> {
        self.node(id).parent
    }

    /// Those that need it.
    pub(super) fn needed_by(&self, id: ServiceId) -> &BTreeSet<ServiceId> {
        &self.node(id).needed_by
    }

    /// Those that name it in `bound_to`.
    pub(super) fn bound_dependents(&self, id: ServiceId) -> &BTreeSet<ServiceId> {
        &self.node(id).bound_dependents
    }

    /// Those whose restart restarts it, directly or not.
    pub(super) fn is_bound_to(&self, id: ServiceId) -> Vec<ServiceId> {
        reachable(id, |at| &self.node(at).bound_to)
    }

    /// Those it starts after, and stops before.
    pub(crate) fn needs(&self, id: ServiceId) -> &[ServiceId] {
        &self.node(id).needs
    }

    /// Those among them whose restart restarts it.
    pub(crate) fn bound_needs(&self, id: ServiceId) -> impl Iterator<Item = ServiceId> {
        let Node { bound_to, needs, .. } = self.node(id);
        bound_to.iter().copied().filter(|bound_to| needs.contains(bound_to))
    }

    /// Those that are bound to it as it is to them.
    pub(crate) fn bound_peers(&self, id: ServiceId) -> impl Iterator<Item = ServiceId> {
        let Node { bound_to, needs, .. } = self.node(id);
        bound_to.iter().copied().filter(|bound_to| !needs.contains(bound_to))
    }

    pub(crate) fn children(&self, id: ServiceId) -> &BTreeSet<ServiceId> {
        &self.node(id).children
    }

    /// Everybody who is restarted when this one is, and not itself.
    pub(crate) fn restarts_with(&self, id: ServiceId) -> Vec<ServiceId> {
        let mut found = reachable(id, |at| &self.node(at).bound_dependents);
        found.retain(|&other| other != id);
        found
    }

    /// Which services must be gone before which are signalled to stop.
    pub(crate) fn stop_order(&self) -> &StopOrder {
        &self.stop_order
    }

    /// The ancestor that no service started.
    pub(crate) fn outermost(&self, id: ServiceId) -> ServiceId {
        std::iter::successors(Some(id), |&id| self.node(id).parent).last().unwrap_or(id)
    }
}

fn check_options(
    services: &[PlanEntry<'_>],
    grace: Duration,
    is_new: impl Fn(ServiceId) -> bool,
    faults: &mut Vec<String>,
) {
    let mut names = HashMap::new();
    for (id, PlanEntry { spec, .. }) in services.iter().enumerate().filter(|(_, entry)| entry.is_known) {
        let same_name = names.insert(&spec.name, (spec.location, is_new(ServiceId(id))));
        let is_new = is_new(ServiceId(id));
        match same_name.filter(|(_, other_is_new)| is_new || *other_is_new).map(|(other, _)| other) {
            Some(other) if other == spec.location => faults.push(format!(
                "{spec} is started twice; one that takes nothing but a `Lifecycle` starts by itself, unless its \
                 attribute says `manual`; if there are to be two, give one another name (`.name(..)`)"
            )),
            Some(other) => faults.push(format!(
                "two services are called `{}`: {other} and {}; give one another name (`name = \"..\"` or `.name(..)`)",
                spec.name, spec.location
            )),
            None => {}
        }
        if is_new {
            check_own_options(spec, grace, faults);
        }
    }
}

/// What contradicts itself in one service's options.
pub(super) fn check_own_options(spec: &ServiceSpec, grace: Duration, faults: &mut Vec<String>) {
    if let Some(own) = spec.grace.filter(|own| *own > grace) {
        faults.push(format!(
            "{spec} has a grace of {own:?}, but the whole program has {grace:?}; shorten the one or lengthen the other"
        ));
    }
    if !spec.restartable && spec.restart.restart != Restart::Never {
        faults.push(format!(
            "{spec} was made to run once and cannot be restarted; make it with `Service::new`, or say `restart(Restart::Never)`"
        ));
    }
    if !spec.restartable && !spec.bound_to.is_empty() {
        faults.push(format!(
            "{spec} was made to run once, and `bound_to` restarts it; make it with `Service::new`, or say `after` instead"
        ));
    }
}

/// How a fault speaks of these options.
pub(super) const AFTER: (&str, &str) = ("start after", "after");
pub(super) const BOUND_TO: (&str, &str) = ("restart with", "bound_to");

impl Node {
    /// What a service says of itself.
    fn of(
        &PlanEntry { spec, .. }: &PlanEntry<'_>,
        names: &Names,
        services: &[PlanEntry<'_>],
        faults: &mut Vec<String>,
    ) -> Self {
        let parent = spec.parent.map(|parent| parent.id);
        let spec_of = |ServiceId(id)| services[id].spec;
        let after = names.resolve(spec, &spec.after, AFTER, spec_of, faults);
        let bound_to = names.resolve(spec, &spec.bound_to, BOUND_TO, spec_of, faults);
        Self { parent, after, bound_to, ..Self::default() }
    }

    /// Only what the service itself names, without what follows from that.
    fn named(&self) -> Self {
        let Self { parent, after, bound_to, .. } = self.clone();
        Self { parent, after, bound_to, ..Self::default() }
    }
}

fn find_needs(nodes: &mut [Option<Node>]) {
    let named: Vec<_> =
        nodes.iter().map(|node| node.as_ref().map(|node| node.bound_to.clone()).unwrap_or_default()).collect();
    for (id, node) in nodes.iter_mut().enumerate().filter_map(|(id, node)| Some((ServiceId(id), node.as_mut()?))) {
        let is_peer = |other| other != id && reachable(other, |at| &named[at.0]).contains(&id);
        let one_way = node.bound_to.iter().filter(|&&other| !is_peer(other));
        node.needs = node.after.iter().chain(one_way).copied().collect();
        node.needs.sort_unstable();
        node.needs.dedup();
    }
}

fn find_reverse(nodes: &mut [Option<Node>]) {
    for id in 0..nodes.len() {
        let Some(Node { parent, bound_to, needs, .. }) = nodes[id].clone() else { continue };
        let mut set = |other: ServiceId, set: fn(&mut Node) -> &mut BTreeSet<ServiceId>| {
            if let Some(other) = &mut nodes[other.0] {
                set(other).insert(ServiceId(id));
            }
        };
        bound_to.iter().for_each(|&other| set(other, |node| &mut node.bound_dependents));
        needs.iter().for_each(|&need| set(need, |node| &mut node.needed_by));
        parent.iter().for_each(|&parent| set(parent, |node| &mut node.children));
    }
}

fn describe_cycle(cycle: &[ServiceId], services: &[PlanEntry<'_>]) -> String {
    let names: Vec<_> = cycle.iter().map(|&ServiceId(id)| services[id].spec.to_string()).collect();
    format!("services wait for each other: {} after {}; take one `after` away", names.join(" after "), names[0])
}

/// Everything that is wrong with a plan, in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Faults(Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first line is what the last line of the program repeats.
        match self.0.len() {
            1 => f.write_str("1 fault in the plan")?,
            faults => write!(f, "{faults} faults in the plan")?,
        }
        self.0.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

#[cfg(test)]
impl Plan {
    /// Compares what was found out service by service with what follows from the whole.
    ///
    /// # Panics
    ///
    /// If they differ.
    pub(super) fn check_derived(&self) {
        let anew = Self::derive(self.nodes.iter().map(|node| node.as_ref().map(Node::named)).collect());
        let anew = anew.expect("a plan has no circle");
        assert_eq!(self.nodes, anew.nodes);
        for id in (0..self.nodes.len()).map(ServiceId) {
            assert_eq!(self.stop_order.stops_after(id), anew.stop_order.stops_after(id), "what stops before {id:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::id::RunId;
    use super::super::location::Location;
    use super::super::spec::{Parent, Reference};
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn spec(line: u32, name: &str, after: &[&str]) -> ServiceSpec {
        let mut spec = ServiceSpec::new(name, Location { file: "main.rs", line });
        spec.after = named(after);
        spec
    }

    fn named(names: &[&str]) -> Vec<Reference> {
        names.iter().map(|name| Reference::Name((*name).to_owned())).collect()
    }

    fn bound(line: u32, name: &str, bound_to: &[&str]) -> ServiceSpec {
        ServiceSpec { bound_to: named(bound_to), ..spec(line, name, &[]) }
    }

    fn child(line: u32, parent: usize, name: &str, after: &[&str]) -> ServiceSpec {
        let parent = Parent { id: ServiceId(parent), run: RunId(1) };
        ServiceSpec { parent: Some(parent), ..spec(line, name, after) }
    }

    fn check(specs: &[ServiceSpec]) -> Result<Plan, Faults> {
        Plan::check(&specs.iter().map(|spec| PlanEntry { spec, is_known: true }).collect::<Vec<_>>(), GRACE)
    }

    #[test]
    fn a_dependency_stops_after_its_dependents_and_a_parent_after_its_children() {
        let plan = check(&[spec(1, "db", &[]), spec(2, "http", &["db"]), child(3, 1, "http/tls", &["db"])]).unwrap();
        assert_eq!(plan.stop_order().all(), [2, 1, 0].map(ServiceId));
        assert_eq!(plan.outermost(ServiceId(2)), ServiceId(1));
    }

    #[test]
    fn a_child_means_its_own_sibling_before_anybody_else_of_that_name() {
        let specs =
            [spec(1, "db", &[]), spec(2, "eu", &[]), child(3, 1, "eu/db", &[]), child(4, 1, "eu/http", &["db"])];
        assert_eq!(check(&specs).unwrap().needs(ServiceId(3)), [ServiceId(2)]);
        let inside = check(&[spec(1, "eu", &[]), child(2, 0, "eu/db", &[]), spec(3, "http", &["db"])]);
        assert!(inside.unwrap_err().to_string().contains("`http` (main.rs:3) is to start after `db`"));
    }

    #[test]
    fn bound_one_way_is_an_order_and_both_ways_is_a_group_without_one() {
        let plan = check(&[bound(1, "http", &["db"]), spec(2, "db", &[])]).unwrap();
        assert_eq!(plan.needs(ServiceId(0)), [ServiceId(1)]);
        assert_eq!(plan.restarts_with(ServiceId(1)), [ServiceId(0)]);
        assert_eq!(plan.restarts_with(ServiceId(0)), []);

        let plan = check(&[bound(1, "a", &["b"]), bound(2, "b", &["c"]), bound(3, "c", &["a"])]).unwrap();
        for id in 0..3 {
            assert_eq!(plan.needs(ServiceId(id)), []);
            assert_eq!(plan.restarts_with(ServiceId(id)).len(), 2);
        }
        // `after` gives the order within a group.
        let ordered = ServiceSpec { after: named(&["b"]), ..bound(1, "a", &["b"]) };
        let plan = check(&[ordered, bound(2, "b", &["a"])]).unwrap();
        assert_eq!((plan.needs(ServiceId(0)), plan.needs(ServiceId(1))), (&[ServiceId(1)][..], &[][..]));
    }

    #[test]
    fn all_faults_come_in_one_message_with_their_places() {
        let mut greedy = spec(5, "greedy", &[]);
        greedy.grace = Some(Duration::from_secs(6));
        let mut once = bound(6, "once", &["greedy"]);
        once.restartable = false;
        once.restart.restart = Restart::Never;
        let specs = [
            spec(1, "a", &["b"]),
            spec(2, "b", &["a"]),
            spec(3, "c", &["missing"]),
            spec(4, "c", &[]),
            greedy,
            once,
            bound(7, "d", &["no one"]),
            spec(8, "twice", &[]),
            spec(8, "twice", &[]),
        ];
        let faults = check(&specs).unwrap_err().to_string();
        for part in [
            "7 faults",
            "`a` (main.rs:1) after `b` (main.rs:2) after `a` (main.rs:1)",
            "`c` (main.rs:3) is to start after `missing`, which is not started",
            "`d` (main.rs:7) is to restart with `no one`, which is not started",
            "two services are called `c`: main.rs:3 and main.rs:4",
            "`twice` (main.rs:8) is started twice",
            "`greedy` (main.rs:5) has a grace of 6s, but the whole program has 5s",
            "`once` (main.rs:6) was made to run once, and `bound_to` restarts it",
        ] {
            assert!(faults.contains(part), "{part}\n is not in\n{faults}");
        }
    }

    #[test]
    fn a_service_after_itself_is_a_cycle_of_one() {
        for spec in [spec(1, "a", &["a"]), bound(1, "a", &["a"])] {
            let faults = check(&[spec]).unwrap_err().to_string();
            assert!(faults.contains("`a` (main.rs:1) after `a` (main.rs:1)"), "{faults}");
        }
    }
}

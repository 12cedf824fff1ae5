//! Which service needs which: checked as a whole before anything starts.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use super::cycles::cycles;
use super::id::ServiceId;
use super::names::{Entry, Names};
use super::restart::Restart;
use super::spec::ServiceSpec;
use super::stop_order::{StopOrder, reachable};

/// The graph of a plan without faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    nodes: Vec<Node>,
    stop_order: StopOrder,
}

/// How one service stands to the others.
#[derive(Clone, Debug, Default)]
struct Node {
    parent: Option<ServiceId>,
    children: BTreeSet<ServiceId>,
    /// Those it said that it comes after.
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
    pub(crate) fn check(services: &[Entry<'_>], grace: Duration) -> Result<Self, Faults> {
        Self::default().extended(services, grace, |_| true)
    }

    /// The same for one more service, new or in the place of another. Whom the others named stays as it
    /// was found out: what comes later does not change their order.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub(crate) fn with(&self, new: ServiceId, services: &[Entry<'_>], grace: Duration) -> Result<Self, Faults> {
        self.extended(services, grace, |id| id == new)
    }

    fn extended(
        &self,
        services: &[Entry<'_>],
        grace: Duration,
        is_new: impl Fn(ServiceId) -> bool,
    ) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        check_options(services, grace, &mut faults);
        let names = Names::of(services);
        let node = |(id, entry): (usize, &Entry<'_>)| match self.nodes.get(id) {
            Some(known) if !is_new(ServiceId(id)) => known.said(),
            _ => Node::of(entry, &names, services, &mut faults),
        };
        let mut nodes: Vec<_> = services.iter().enumerate().map(node).collect();
        find_needs(&mut nodes);
        let needs: Vec<_> = nodes.iter().map(|node| node.needs.clone()).collect();
        let parents: Vec<_> = nodes.iter().map(|node| node.parent).collect();
        let stop_order = StopOrder::of(&needs, &parents).unwrap_or_else(|| {
            faults.extend(cycles(&needs).iter().map(|cycle| describe_cycle(cycle, services)));
            StopOrder::default()
        });
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        find_reverse(&mut nodes);
        Ok(Self { nodes, stop_order })
    }

    /// Takes a service that nothing needs any more out of the plan, and makes room for the next one.
    pub(super) fn detach(&mut self, id: ServiceId) {
        self.nodes.resize_with(self.nodes.len().max(id.0 + 1), Node::default);
        let Node { parent, children, after, bound_to, bound_dependents, needed_by, needs } =
            std::mem::take(&mut self.nodes[id.0]);
        parent.inspect(|parent| {
            self.nodes[parent.0].children.remove(&id);
        });
        children.iter().for_each(|child| self.nodes[child.0].parent = None);
        for other in after.iter().chain(&bound_to).chain(&needs) {
            self.nodes[other.0].needed_by.remove(&id);
            self.nodes[other.0].bound_dependents.remove(&id);
        }
        for other in bound_dependents.iter().chain(&needed_by) {
            let Node { after, bound_to, needs, .. } = &mut self.nodes[other.0];
            [after, bound_to, needs].into_iter().for_each(|named| named.retain(|&named| named != id));
        }
        self.stop_order.detach(id);
    }

    /// Fits a service in that nothing refers to yet, without a look at the others. Returns false where only the whole
    /// tells what stops before what; the plan is then to be made anew.
    #[must_use]
    pub(super) fn attach(
        &mut self,
        id: ServiceId,
        parent: Option<ServiceId>,
        after: Vec<ServiceId>,
        bound_to: Vec<ServiceId>,
    ) -> bool {
        self.detach(id);
        if self.stop_order.turns_round() {
            return false;
        }
        let needs: BTreeSet<_> = after.iter().chain(&bound_to).copied().collect();
        for need in needs.iter().chain(&parent) {
            self.stop_order.link(id, *need);
        }
        let outer = std::iter::successors(parent, |&ServiceId(id)| self.nodes[id].parent);
        let outer: Vec<_> = outer.flat_map(|outer| self.nodes[outer.0].needed_by.iter().copied()).collect();
        for &need in &needs {
            for inner in reachable(need, |at| self.children(at)).into_iter().filter(|&inner| inner != id) {
                if self.stop_order.leads_to(inner, id) {
                    return false;
                }
                self.stop_order.link(id, inner);
            }
        }
        for dependent in outer.into_iter().filter(|&dependent| dependent != id) {
            if self.stop_order.leads_to(id, dependent) {
                return false;
            }
            self.stop_order.link(dependent, id);
        }
        needs.iter().for_each(|need| {
            self.nodes[need.0].needed_by.insert(id);
        });
        bound_to.iter().for_each(|other| {
            self.nodes[other.0].bound_dependents.insert(id);
        });
        parent.inspect(|parent| {
            self.nodes[parent.0].children.insert(id);
        });
        let needs = needs.into_iter().collect();
        self.nodes[id.0] = Node { parent, after, bound_to, needs, ..Node::default() };
        true
    }

    /// One that no plan was ever made for stands alone.
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
        self.nodes.get(id).unwrap_or(&ALONE)
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

    /// Who must be gone before whom is told to stop.
    pub(crate) fn stop_order(&self) -> &StopOrder {
        &self.stop_order
    }

    /// The ancestor that nobody started but `main`.
    pub(crate) fn outermost(&self, id: ServiceId) -> ServiceId {
        std::iter::successors(Some(id), |&id| self.node(id).parent).last().unwrap_or(id)
    }
}

fn check_options(services: &[Entry<'_>], grace: Duration, faults: &mut Vec<String>) {
    let mut names = HashMap::new();
    for Entry { spec, .. } in services.iter().filter(|entry| entry.is_known) {
        match names.insert(&spec.name, spec.location) {
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
        check_own_options(spec, grace, faults);
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
        &Entry { spec, is_known }: &Entry<'_>,
        names: &Names,
        services: &[Entry<'_>],
        faults: &mut Vec<String>,
    ) -> Self {
        let parent = spec.parent.map(|parent| parent.id);
        if !is_known {
            return Self { parent, ..Self::default() };
        }
        let spec_of = |ServiceId(id)| services[id].spec;
        let after = names.resolve(spec, &spec.after, AFTER, spec_of, faults);
        let bound_to = names.resolve(spec, &spec.bound_to, BOUND_TO, spec_of, faults);
        Self { parent, after, bound_to, ..Self::default() }
    }

    /// What a service said itself, without what follows from it.
    fn said(&self) -> Self {
        let Self { parent, after, bound_to, .. } = self.clone();
        Self { parent, after, bound_to, ..Self::default() }
    }
}

fn find_needs(nodes: &mut [Node]) {
    let bound_to: Vec<_> = nodes.iter().map(|node| node.bound_to.clone()).collect();
    for (id, node) in nodes.iter_mut().enumerate() {
        let id = ServiceId(id);
        let is_mate = |other| other != id && reachable(other, |at| &bound_to[at.0]).contains(&id);
        let one_way = node.bound_to.iter().filter(|&&other| !is_mate(other));
        node.needs = node.after.iter().chain(one_way).copied().collect();
        node.needs.sort_unstable();
        node.needs.dedup();
    }
}

fn find_reverse(nodes: &mut [Node]) {
    for id in (0..nodes.len()).map(ServiceId) {
        let Node { parent, bound_to, needs, .. } = &nodes[id.0];
        let (parent, bound_to, needs) = (*parent, bound_to.clone(), needs.clone());
        bound_to.iter().for_each(|bound_to| {
            nodes[bound_to.0].bound_dependents.insert(id);
        });
        needs.iter().for_each(|need| {
            nodes[need.0].needed_by.insert(id);
        });
        parent.iter().for_each(|parent| {
            nodes[parent.0].children.insert(id);
        });
    }
}

fn describe_cycle(cycle: &[ServiceId], services: &[Entry<'_>]) -> String {
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
        Plan::check(&specs.iter().map(|spec| Entry { spec, is_known: true }).collect::<Vec<_>>(), GRACE)
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
        // An order within a group is said by `after`.
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
            spec(3, "c", &["nobody"]),
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
            "`c` (main.rs:3) is to start after `nobody`, which is not started",
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

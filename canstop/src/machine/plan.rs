//! Which service needs which: checked as a whole before anything starts.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use super::id::ServiceId;
use super::restart::RestartPolicy;

/// When a service counts as ready, so that those after it may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ready {
    /// When it says [`lifecycle.ready()`](crate::Lifecycle::ready).
    Notify,
    /// As soon as it was started.
    #[default]
    Started,
}

/// A place in the user's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) file: &'static str,
    pub(crate) line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a service's `after` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// The service function itself, and its path for people.
    Function { identity: TypeId, path: &'static str },
    /// A service's name.
    Name(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Function { path, .. } => f.write_str(path),
            Reference::Name(name) => f.write_str(name),
        }
    }
}

/// Everything the machine needs to know about a service.
#[derive(Clone, Debug)]
pub(crate) struct ServiceSpec {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// The function that made it, where it is known.
    pub(crate) identity: Option<TypeId>,
    pub(crate) after: Vec<Reference>,
    pub(crate) restart: RestartPolicy,
    /// Can it be started a second time?
    pub(crate) restartable: bool,
    pub(crate) ready: Ready,
    pub(crate) start_timeout: Duration,
    pub(crate) grace: Option<Duration>,
    pub(crate) optional: bool,
    pub(crate) cancel: bool,
}

impl ServiceSpec {
    pub(crate) fn new(name: impl Into<String>, place: Place) -> Self {
        Self {
            name: name.into(),
            place,
            identity: None,
            after: Vec::new(),
            restart: RestartPolicy::default(),
            restartable: true,
            ready: Ready::default(),
            start_timeout: Duration::from_secs(30),
            grace: None,
            optional: false,
            cancel: false,
        }
    }

    fn is_named_by(&self, reference: &Reference) -> bool {
        match reference {
            Reference::Function { identity, .. } => self.identity == Some(*identity),
            Reference::Name(name) => self.name == *name,
        }
    }
}

impl fmt::Display for ServiceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.name, self.place)
    }
}

/// The graph of a plan without faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// What each service needs.
    dependencies: Vec<Vec<ServiceId>>,
    /// How many stop levels it stands above the edge.
    levels: Vec<usize>,
}

impl Plan {
    /// Resolves every reference, or names all that is wrong.
    ///
    /// # Errors
    ///
    /// Unknown references, cycles, names that stand twice, options that contradict each other.
    pub(crate) fn check(specs: &[ServiceSpec], grace: Duration) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        for (at, spec) in specs.iter().enumerate() {
            if let Some(other) = specs[..at].iter().find(|other| other.name == spec.name) {
                faults.push(format!(
                    "two services are called `{}`: {} and {}; give one another name (`name = \"..\"` or `.name(..)`)",
                    spec.name, other.place, spec.place
                ));
            }
            if let Some(own) = spec.grace.filter(|own| *own > grace) {
                faults.push(format!(
                    "{spec} has a grace of {own:?}, but the whole program has {grace:?}; shorten the one or lengthen the other"
                ));
            }
            if !spec.restartable && spec.restart.restart != super::restart::Restart::Never {
                faults.push(format!(
                    "{spec} was made to run once and cannot be restarted; make it with `Service::new`, or say `restart(Restart::Never)`"
                ));
            }
        }
        let dependencies: Vec<_> = specs.iter().map(|spec| resolve(spec, specs, &mut faults)).collect();
        for cycle in cycles(&dependencies) {
            let names: Vec<_> = cycle.iter().map(|&ServiceId(id)| specs[id].to_string()).collect();
            faults.push(format!(
                "services wait for each other: {} after {}; take one `after` away",
                names.join(" after "),
                names[0]
            ));
        }
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let levels = levels(&dependencies);
        Ok(Self { dependencies, levels })
    }

    pub(crate) fn dependencies(&self, ServiceId(id): ServiceId) -> &[ServiceId] {
        // One that was refused, or that no plan was ever made for, needs nobody.
        self.dependencies.get(id).map_or(&[], Vec::as_slice)
    }

    /// Who must have ended before this one is told to stop.
    pub(crate) fn dependents(&self, id: ServiceId) -> impl Iterator<Item = ServiceId> + '_ {
        let names_it = move |(_, needs): &(usize, &Vec<ServiceId>)| needs.contains(&id);
        self.dependencies.iter().enumerate().filter(names_it).map(|(dependent, _)| ServiceId(dependent))
    }

    /// The step of the stop in which this service is told; 0 is the edge.
    pub(crate) fn level(&self, ServiceId(id): ServiceId) -> usize {
        // And it stands at the edge.
        self.levels.get(id).copied().unwrap_or(0)
    }
}

fn resolve(spec: &ServiceSpec, specs: &[ServiceSpec], faults: &mut Vec<String>) -> Vec<ServiceId> {
    let mut needs = Vec::new();
    for reference in &spec.after {
        let before = needs.len();
        needs.extend((0..specs.len()).filter(|&id| specs[id].is_named_by(reference)).map(ServiceId));
        if needs.len() == before {
            faults.push(format!(
                "{spec} is to start after `{reference}`, which is not started; start it before `run()`, or take the `after` away"
            ));
        }
    }
    needs.sort_unstable();
    needs.dedup();
    needs
}

/// The cycles of the graph, each once, by Tarjan's strongly connected components made simple: plans
/// are small, so each service just looks for the shortest way back to itself.
fn cycles(dependencies: &[Vec<ServiceId>]) -> Vec<Vec<ServiceId>> {
    let mut found: Vec<Vec<ServiceId>> = Vec::new();
    for start in (0..dependencies.len()).map(ServiceId) {
        if found.iter().any(|cycle| cycle.contains(&start)) {
            continue;
        }
        found.extend(way_back(start, dependencies));
    }
    found
}

fn way_back(start: ServiceId, dependencies: &[Vec<ServiceId>]) -> Option<Vec<ServiceId>> {
    let mut came_from = vec![None; dependencies.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &next in &dependencies[at.0] {
            if next == start {
                let mut way = vec![at];
                while let Some(previous) = came_from[way[way.len() - 1].0] {
                    way.push(previous);
                }
                way.reverse();
                return Some(way);
            }
            if came_from[next.0].is_none() {
                came_from[next.0] = Some(at);
                queue.push_back(next);
            }
        }
    }
    None
}

/// The longest way from the edge to each service of a graph without cycles.
fn levels(dependencies: &[Vec<ServiceId>]) -> Vec<usize> {
    let mut levels = vec![0; dependencies.len()];
    // Relaxing once per service reaches the end of the longest way.
    for _ in 0..dependencies.len() {
        for (dependent, needs) in dependencies.iter().enumerate() {
            for need in needs {
                levels[need.0] = levels[need.0].max(levels[dependent] + 1);
            }
        }
    }
    levels
}

/// Everything that is wrong with a plan, in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Faults(Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [fault] => f.write_str(fault),
            faults => {
                write!(f, "{} faults in the plan", faults.len())?;
                for fault in faults {
                    write!(f, "\n  - {fault}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    fn spec(line: u32, name: &str, after: &[&str]) -> ServiceSpec {
        let mut spec = ServiceSpec::new(name, Place { file: "main.rs", line });
        spec.after = after.iter().map(|name| Reference::Name((*name).to_owned())).collect();
        spec
    }

    #[test]
    fn a_level_is_the_longest_way_from_the_edge() {
        let plan = Plan::check(
            &[spec(1, "http", &["cache", "writer"]), spec(2, "cache", &["writer"]), spec(3, "writer", &[])],
            GRACE,
        )
        .unwrap();
        let levels: Vec<_> = (0..3).map(|id| plan.level(ServiceId(id))).collect();
        assert_eq!(levels, [0, 1, 2]);
        assert_eq!(plan.dependents(ServiceId(2)).collect::<Vec<_>>(), [ServiceId(0), ServiceId(1)]);
    }

    #[test]
    fn all_faults_come_in_one_message_with_their_places() {
        let mut greedy = spec(5, "greedy", &[]);
        greedy.grace = Some(Duration::from_secs(6));
        let faults = Plan::check(
            &[spec(1, "a", &["b"]), spec(2, "b", &["a"]), spec(3, "c", &["nobody"]), spec(4, "c", &[]), greedy],
            GRACE,
        )
        .unwrap_err()
        .to_string();
        for part in [
            "4 faults",
            "`a` (main.rs:1) after `b` (main.rs:2) after `a` (main.rs:1)",
            "`c` (main.rs:3) is to start after `nobody`, which is not started",
            "two services are called `c`: main.rs:3 and main.rs:4",
            "`greedy` (main.rs:5) has a grace of 6s, but the whole program has 5s",
        ] {
            assert!(faults.contains(part), "{part}\n is not in\n{faults}");
        }
    }

    #[test]
    fn a_service_after_itself_is_a_cycle_of_one() {
        let faults = Plan::check(&[spec(1, "a", &["a"])], GRACE).unwrap_err().to_string();
        assert!(faults.contains("`a` (main.rs:1) after `a` (main.rs:1)"), "{faults}");
    }
}

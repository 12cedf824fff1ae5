//! Which services a name refers to.

use std::any::TypeId;
use std::collections::{BTreeSet, HashMap};

use super::id::ServiceId;
use super::spec::{Reference, ServiceSpec};

/// A service that is to be fitted into a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanEntry<'a> {
    pub(crate) spec: &'a ServiceSpec,
    /// Does it name others, and can they name it? Not once it was refused, or is left of a run of its
    /// parent that is over; then it is still its parent's child.
    pub(crate) is_known: bool,
}

/// What services are called among those that have the same parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    by_name: HashMap<(Option<ServiceId>, String), BTreeSet<ServiceId>>,
    by_function: HashMap<(Option<ServiceId>, TypeId), BTreeSet<ServiceId>>,
}

impl Names {
    pub(super) fn of(services: &[PlanEntry<'_>]) -> Self {
        let mut names = Self::default();
        for (id, PlanEntry { spec, .. }) in services.iter().enumerate().filter(|(_, entry)| entry.is_known) {
            names.set(ServiceId(id), spec, true);
        }
        names
    }

    /// From now on others can name this service, or cannot.
    pub(super) fn set(&mut self, id: ServiceId, spec: &ServiceSpec, is_known: bool) {
        let parent = spec.parent.map(|parent| parent.id);
        set(&mut self.by_name, (parent, spec.short_name().to_owned()), id, is_known);
        if let Some(identity) = spec.identity {
            set(&mut self.by_function, (parent, identity), id, is_known);
        }
    }

    /// The services that these refer to. A child's siblings come before those of its parent, and those before the
    /// parent's parent's; children of others cannot be named.
    pub(super) fn resolve<'a>(
        &self,
        spec: &ServiceSpec,
        references: &[Reference],
        (verb, option): (&str, &str),
        spec_of: impl Fn(ServiceId) -> &'a ServiceSpec,
        faults: &mut Vec<String>,
    ) -> Vec<ServiceId> {
        let mut found = BTreeSet::new();
        for reference in references {
            match self.nearest(spec, reference, &spec_of) {
                Some(named) => found.extend(named),
                None => faults.push(format!(
                    "{spec} is to {verb} `{reference}`, which is not started; start that one as well, or take the `{option}` away"
                )),
            }
        }
        found.into_iter().collect()
    }

    fn nearest<'a>(
        &self,
        spec: &ServiceSpec,
        reference: &Reference,
        spec_of: impl Fn(ServiceId) -> &'a ServiceSpec,
    ) -> Option<&BTreeSet<ServiceId>> {
        let mut parent = spec.parent.map(|parent| parent.id);
        loop {
            let named = match reference {
                Reference::Function { identity, .. } => self.by_function.get(&(parent, *identity)),
                Reference::Name(name) => self.by_name.get(&(parent, name.clone())),
            };
            if named.is_some() {
                return named;
            }
            parent = spec_of(parent?).parent.map(|parent| parent.id);
        }
    }
}

fn set<K: std::hash::Hash + Eq>(names: &mut HashMap<K, BTreeSet<ServiceId>>, key: K, id: ServiceId, is_known: bool) {
    if is_known {
        names.entry(key).or_default().insert(id);
    } else if let Some(known) = names.get_mut(&key) {
        known.remove(&id);
        if known.is_empty() {
            names.remove(&key);
        }
    }
}

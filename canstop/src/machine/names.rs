//! Whom a service means by a name.

use std::any::TypeId;
use std::collections::HashMap;

use super::id::ServiceId;
use super::spec::{Reference, ServiceSpec};

/// A service that is to be fitted into a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) spec: &'a ServiceSpec,
    /// Does it name others, and can they name it? Not once it was refused, or was left of a life of its
    /// parent that is over; then it is still its parent's child.
    pub(crate) is_known: bool,
}

/// What services are called among those that have the same parent.
pub(super) struct Names<'a> {
    services: &'a [Entry<'a>],
    by_name: HashMap<(Option<ServiceId>, &'a str), Vec<ServiceId>>,
    by_function: HashMap<(Option<ServiceId>, TypeId), Vec<ServiceId>>,
}

impl<'a> Names<'a> {
    pub(super) fn of(services: &'a [Entry<'a>]) -> Self {
        let mut names = Self { services, by_name: HashMap::new(), by_function: HashMap::new() };
        for (id, Entry { spec, .. }) in services.iter().enumerate().filter(|(_, entry)| entry.is_known) {
            let parent = spec.parent.map(|parent| parent.id);
            names.by_name.entry((parent, spec.short_name())).or_default().push(ServiceId(id));
            if let Some(identity) = spec.identity {
                names.by_function.entry((parent, identity)).or_default().push(ServiceId(id));
            }
        }
        names
    }

    /// Whom these name. A child means its siblings before those of its parent, and those before the
    /// parent's parent's; it cannot name what stands inside of others.
    pub(super) fn resolve(
        &self,
        spec: &ServiceSpec,
        references: &[Reference],
        (verb, option): (&str, &str),
        faults: &mut Vec<String>,
    ) -> Vec<ServiceId> {
        let mut found = Vec::new();
        for reference in references {
            let named = self.nearest(spec, reference);
            if named.is_empty() {
                faults.push(format!(
                    "{spec} is to {verb} `{reference}`, which is not started; start that one as well, or take the `{option}` away"
                ));
            }
            found.extend(named);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn nearest<'n>(&'n self, spec: &ServiceSpec, reference: &'n Reference) -> &'n [ServiceId] {
        let mut parent = spec.parent.map(|parent| parent.id);
        loop {
            let named = match reference {
                Reference::Function { identity, .. } => self.by_function.get(&(parent, *identity)),
                Reference::Name(name) => self.by_name.get(&(parent, name)),
            };
            match (named, parent) {
                (Some(named), _) => return named,
                (None, None) => return &[],
                (None, Some(ServiceId(of))) => parent = self.services[of].spec.parent.map(|parent| parent.id),
            }
        }
    }
}

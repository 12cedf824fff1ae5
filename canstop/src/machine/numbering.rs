//! Which id a service gets, and what gives its id away.
//!
//! An id means one service to everything that refers to it: to the plan, to sessions that come up late, to handles.
//! So an id is given to another service only when the service of that id is gone, and then
//!
//! - to one of the same name, which is what others refer to; or
//! - to one of the same place in the source, if no other service names the one that is gone.
//!
//! What was inside of an earlier run leaves the plan when the next run begins, and when the id is given away. A
//! service that cannot start is never in the plan: it takes only an id that is not in the plan either.

use super::facts::Facts;
use super::id::ServiceId;
use super::phase::Phase;
use super::service::Service;
use super::spec::ServiceSpec;
use super::stage::{Stage, UserState};
use super::state::State;

/// So many ended children of one place keep their ids, so that later ones can still name them, and reports list
/// them. The ids of all others go to later children.
const ENDED_KEPT: usize = if cfg!(test) { 2 } else { 32 };

impl State {
    /// The id that a service gets when it is added next.
    pub(crate) fn number_for(&self, spec: &ServiceSpec) -> ServiceId {
        debug_assert!(self.is_fresh());
        let is_late = self.is_late(spec);
        let of_name = self.index.of_path(&spec.name);
        let of_name = of_name.filter(|&id| self.is_gone(id) && !(is_late && self.plan.contains(id)));
        let gone = of_name.max_by_key(|&id| self.plan.contains(id));
        gone.or_else(|| self.ended_child(spec, is_late)).unwrap_or(ServiceId(self.services.len()))
    }

    /// Has nothing of it remained, its state included?
    fn is_gone(&self, id: ServiceId) -> bool {
        let service = self.service(id);
        service.user_state == UserState::Dropped && service.entry.facts.undrained.is_none()
    }

    fn ended_child(&self, spec: &ServiceSpec, is_late: bool) -> Option<ServiceId> {
        spec.parent?;
        let of_place = |is_planned| self.index.ended.get(&(spec.location, is_planned));
        let spare = |is_planned| {
            let ended = of_place(is_planned)?;
            let spare = ended.len().checked_sub(ENDED_KEPT)?.min(ENDED_KEPT);
            ended.iter().take(spare).map(|&(_, id)| id).find(|&id| !self.plan.is_named(id))
        };
        spare(false).or_else(|| spare(true).filter(|_| !is_late))
    }

    /// Does a service come too late to start? A stop was requested, or its parent's run is over.
    pub(super) fn is_late(&self, spec: &ServiceSpec) -> bool {
        let Some(parent) = spec.parent else { return self.phase.is_stopping() };
        let began = self.services.get(parent.id.0).filter(|of| of.run == parent.run).and_then(|of| match of.stage {
            Stage::Running { began, .. } => Some(began),
            _ => None,
        });
        // During the drain delay a parent's new run starts its children, as any run does.
        let requested = self.stop_requested().unwrap_or_default();
        began.is_none_or(|began| began < requested) || self.phase > Phase::DrainDelay
    }

    /// Puts a service in the place of one that is gone, or at the end.
    pub(super) fn place(&mut self, id: ServiceId, mut service: Service) {
        self.refresh();
        let gone = self.services.get(id.0).map(|gone| gone.spec.name.clone());
        if gone.as_ref() != Some(&service.spec.name) {
            if let Some(gone) = &gone {
                self.forget(id, gone);
            }
            self.index.paths.entry(service.spec.name.clone()).or_default().insert(id);
        }
        if gone.is_some() {
            self.leave_plan(id);
            self.note(id, Facts::default());
            service.entry = std::mem::take(&mut self.services[id.0].entry);
            self.services[id.0] = service;
        } else {
            self.services.push(service);
        }
        self.touch(id);
        self.refresh();
    }

    fn forget(&mut self, id: ServiceId, name: &str) {
        self.index.forgotten += 1;
        if let Some(of_name) = self.index.paths.get_mut(name) {
            of_name.remove(&id);
            if of_name.is_empty() {
                self.index.paths.remove(name);
            }
        }
    }

    /// A service that is gone leaves the plan with all that was inside of it, unless others name it.
    fn leave_plan(&mut self, id: ServiceId) {
        self.take_out(&self.plan.inside(id));
        if !self.plan.is_named(id) {
            self.take_out(&[id]);
        }
    }

    /// What was inside of a service's earlier run leaves the plan: the next run starts its own children.
    pub(super) fn leave_earlier_run(&mut self, id: ServiceId) {
        if !self.plan.children(id).is_empty() {
            self.refresh();
            self.take_out(&self.plan.inside(id));
        }
    }

    /// Takes services out of the plan that nothing waits for any more.
    fn take_out(&mut self, ids: &[ServiceId]) {
        debug_assert!(ids.iter().all(|&id| self.service(id).is_over() && self.is_drained(id)));
        let is_reordered = self.plan.remove(ids);
        for &id in ids {
            let entry = &mut self.services[id.0].entry;
            (entry.blockers, entry.undrained_children, entry.waiting_children) = (0, 0, 0);
            self.touch(id);
        }
        if is_reordered {
            self.index_anew();
        }
        self.refresh();
    }

    /// How many ended children are in no list any more.
    pub(crate) fn forgotten_children(&self) -> u64 {
        self.index.forgotten
    }
}

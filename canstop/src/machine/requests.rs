//! Requests to stop or restart single services while the program goes on.

use super::id::{RunId, ServiceId};
use super::service::Service;
use super::spec::Parent;
use super::stage::{Request, Stage};
use super::state::State;
use super::stop_order::reachable;
use super::time::Time;

/// A wait for the end or restart of a service. `before` is as in [`Input::StopService`](super::input::Input).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) id: ServiceId,
    pub(crate) before: RunId,
    pub(crate) restart: bool,
}

impl State {
    /// Requests the stop of a service. Its dependents, which stop with it and before it, are found when the plan is
    /// evaluated: some may not be in it yet.
    pub(super) fn request_service_stop(&mut self, id: ServiceId, before: RunId) {
        if self.is_still(id, before) {
            self.raise_request(id, Request::Stop);
        }
    }

    /// Requests a restart of a service. It ends a backoff.
    pub(super) fn request_service_restart(&mut self, now: Time, id: ServiceId, before: RunId) {
        if !self.is_still(id, before) {
            return;
        }
        match self.service(id).stage {
            Stage::Running { .. } => {
                self.raise_request(id, Request::Restart { not_before: now });
                self.restart_bound(id, now);
            }
            Stage::BackingOff { .. } => self.service_mut(id).stage = Stage::BackingOff { until: now },
            Stage::Planned | Stage::Over(_) => {}
        }
    }

    /// Returns true if a service that waits for this end or restart would wait for itself, because its own end comes
    /// first: it is the same service, a child of it, or one that needs it.
    pub(crate) fn waits_for_itself(&self, waiter: ServiceId, waits_for: Wait) -> bool {
        let Wait { id, before, restart } = waits_for;
        if !self.is_still(id, before) {
            return false;
        }
        let mut ends_first = if restart {
            self.plan.restarts_with(id)
        } else {
            reachable(id, |at| self.plan.stop_order().stops_after(at))
        };
        ends_first.push(id);
        let parent = |&id: &ServiceId| self.services.get(id.0)?.spec.parent.map(|parent| parent.id);
        std::iter::successors(Some(waiter), parent).any(|id| ends_first.contains(&id))
    }

    /// Returns true if the id still belongs to the service that was meant.
    fn is_still(&self, id: ServiceId, before: RunId) -> bool {
        self.services.get(id.0).is_some_and(|service| service.before == before)
    }

    /// Restarts the services that are bound to this one, not before it may restart itself.
    pub(super) fn restart_bound(&mut self, id: ServiceId, not_before: Time) {
        for bound in self.plan.restarts_with(id) {
            if matches!(self.service(bound).stage, Stage::Running { .. } | Stage::BackingOff { .. }) {
                self.raise_request(bound, Request::Restart { not_before });
            }
        }
    }

    fn raise_request(&mut self, id: ServiceId, request: Request) {
        let service = self.service_mut(id);
        service.request = service.request.max(Some(request));
    }

    /// Passes a request to end on to dependents, to services that are bound both ways, and to children. Children also
    /// end with the run of their parent.
    pub(super) fn pass_on_requests(&mut self) {
        self.refresh();
        while let Some(id) = self.index.for_request.pop_first() {
            let inherited = self.inherited_request(id);
            if inherited > self.service(id).request {
                self.service_mut(id).request = inherited;
                self.refresh();
            }
        }
    }

    /// The gravest request to end of the services that this one cannot run without.
    pub(super) fn inherited_request(&self, id: ServiceId) -> Option<Request> {
        if !self.plan.contains(id) {
            return None;
        }
        let parent_goes_on =
            self.parent_run_alive(id) && self.parent_of(id).is_none_or(|parent| parent.request.is_none());
        let of_parent = (!parent_goes_on).then(|| {
            let request = self.parent_of(id).and_then(|parent| parent.request);
            request.map_or(Request::EndWithParent, |request| request.max(Request::EndWithParent))
        });
        let others = self.plan.needs(id).iter().copied().chain(self.plan.bound_peers(id));
        let of_others =
            others.filter_map(|other| self.service(other).request.filter(|_| self.service(other).is_to_end()));
        of_others.chain(of_parent).max()
    }

    pub(super) fn parent_of(&self, id: ServiceId) -> Option<&Service> {
        let parent = self.service(id).spec.parent?;
        self.services.get(parent.id.0)
    }

    /// Returns true if the run that started this service still goes on, or if no run started it.
    pub(super) fn parent_run_alive(&self, id: ServiceId) -> bool {
        let Some(Parent { run, .. }) = self.service(id).spec.parent else { return true };
        self.parent_of(id).is_some_and(|parent| parent.is_running() && parent.run == run)
    }

    /// Returns true if nothing delays a restart any more. It waits until the previous run is fully gone: its children,
    /// the bound services that stop for it, and its sessions if it was signalled to stop. A service that is to end
    /// restarts only if others need it for their own stop.
    pub(super) fn may_start_again(&self, id: ServiceId) -> bool {
        let service = self.service(id);
        let own_are_gone = self.are_children_gone(id) && (service.stop_by.is_none() || self.is_drained(id));
        let is_gone = |&other: &ServiceId| self.service(other).request.is_none() || self.is_drained(other);
        own_are_gone
            && (!service.is_to_end() || self.is_needed(id))
            && self.plan.restarts_with(id).iter().all(is_gone)
            && self.bound_needs_are_up(id)
    }

    /// Lets a service wait for its next run. Returns the earliest time of that run.
    pub(super) fn begin_pause(&mut self, now: Time, id: ServiceId) -> Time {
        let service = self.service_mut(id);
        let until = match service.request {
            Some(Request::Restart { not_before }) => not_before.max(now),
            _ => now,
        };
        service.stage = Stage::BackingOff { until };
        if !service.was_ready {
            // The start timeout counts from its next run.
            service.first_began = None;
        }
        until
    }
}

//! The services as the control plane holds them: their scopes, factories and tasks.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::own_runtime::OwnRuntime;
use super::service_run::{DroppedState, Run};
use crate::machine::{Input, Owner, RunId, ServiceId, State};
use crate::session::{
    Factory, NewService, Scope, ServiceRecord, ServiceSnapshot, SnapshotSender, Supervisor, spawn_on,
};

/// How long a `cancel` service may take to read the events that it waits for.
const READ_LIMIT: Duration = Duration::from_millis(100);

/// One service as the control plane holds it.
pub(super) struct ServiceSlot {
    pub(super) scope: &'static Scope,
    /// Until the service is over for good.
    factory: Option<Arc<Mutex<Factory>>>,
    snapshot: SnapshotSender,
    own_runtime: bool,
    /// The current run, and when it began.
    run: Option<(RunId, Instant, Running)>,
}

/// Where a run goes on.
enum Running {
    /// On the data plane.
    Task(AbortHandle),
    /// On a runtime of its own. `None` once nothing of the service is left.
    OwnRuntime(Option<OwnRuntime>),
}

impl Running {
    /// Drops the run's future at its next `.await`.
    fn abort(&self) {
        match self {
            Self::Task(task) => task.abort(),
            Self::OwnRuntime(own) => own.iter().for_each(OwnRuntime::abort),
        }
    }
}

impl ServiceSlot {
    /// Drops what was kept for the next run, since there is none. That is the user's code: it runs on the
    /// service's runtime as its body, and the service has stopped only when it has returned.
    fn drop_state(&mut self, id: ServiceId, run: RunId) {
        let hub = self.scope.hub;
        let (Some(data_plane), Some(factory)) = (hub.data_plane(), self.factory.take()) else {
            return hub.event(Input::StateDropped { id, run, panic: None });
        };
        let state = DroppedState::new(self.scope, id, run, factory);
        let state = match &self.run {
            Some((_, _, Running::OwnRuntime(Some(own)))) => own.drop_state(state).err(),
            _ => Some(state),
        };
        if let Some(state) = state {
            data_plane.spawn(drop_as_body(state));
        }
    }
}

async fn drop_as_body(mut state: DroppedState) {
    state.drop_now();
}

/// All services, by their ids.
#[derive(Default)]
pub(super) struct ServiceTable {
    slots: Vec<ServiceSlot>,
    /// Services that are over and whose sessions are not.
    undrained: HashSet<ServiceId>,
    /// Services may have runtimes of their own. In a test they share its runtime and its clock.
    own_runtimes: bool,
}

impl ServiceTable {
    pub(super) fn with_own_runtimes(self) -> Self {
        Self { own_runtimes: true, ..self }
    }

    /// Adds a service under its id, which a child that has ended may have had before.
    pub(super) fn add(&mut self, supervisor: &'static Supervisor, id: ServiceId, new: NewService) {
        let NewService { spec, factory, own_runtime, snapshot, .. } = new;
        let (name, location) = (spec.name.clone(), spec.location);
        let parent = spec.parent.map(|parent| parent.id);
        supervisor.add_service(id, ServiceRecord { name, location, parent, snapshot: snapshot.subscribe() });
        let gone = self.slots.get(id.0).map(|gone| gone.scope);
        let scope = match gone {
            Some(gone) if gone.location == spec.location && !gone.is_spent() => {
                if gone.name() != spec.name {
                    gone.rename(&spec.name);
                }
                gone
            }
            _ => {
                gone.inspect(|gone| supervisor.retire_scope(gone));
                supervisor.new_scope(Owner::Service(id), &spec.name, spec.location, RunId::default())
            }
        };
        let own_runtime = own_runtime && self.own_runtimes;
        let factory = Some(Arc::new(Mutex::new(factory)));
        let slot = ServiceSlot { scope, factory, snapshot, own_runtime, run: None };
        match self.slots.get_mut(id.0) {
            Some(gone) => *gone = slot,
            None => self.slots.push(slot),
        }
    }

    /// Does anything wait for the sessions of a service that is over, as its handle does?
    pub(super) fn await_sessions(&self) -> bool {
        !self.undrained.is_empty()
    }

    pub(super) fn scope(&self, ServiceId(id): ServiceId) -> &'static Scope {
        self.slots[id].scope
    }

    /// Begins a run on the data plane, or on a new runtime of its own.
    pub(super) fn begin(&mut self, id: ServiceId, run: RunId) {
        let slot = &mut self.slots[id.0];
        let (Some(data_plane), Some(factory)) = (slot.scope.hub.data_plane(), &slot.factory) else {
            return;
        };
        if slot.scope.is_spent() {
            let scope @ Scope { owner, location, .. } = slot.scope;
            let supervisor = scope.supervisor();
            supervisor.retire_scope(scope);
            slot.scope = supervisor.new_scope(*owner, &scope.name(), *location, run);
        }
        slot.scope.begin(run);
        let supervised = Run::new(slot.scope, id, run, Arc::clone(factory));
        let running = if slot.own_runtime {
            Running::OwnRuntime(Some(OwnRuntime::start(slot.scope, supervised)))
        } else {
            Running::Task(spawn_on(&data_plane, || slot.scope.name(), supervised.execute()).abort_handle())
        };
        slot.run = Some((run, Instant::now(), running));
    }

    pub(super) fn drop_state(&mut self, id: ServiceId, run: RunId) {
        self.slots[id.0].drop_state(id, run);
    }

    /// Drops a run's future at its next `.await`.
    pub(super) fn abort(&self, ServiceId(id): ServiceId, of: RunId) {
        if let Some((run, _, running)) = &self.slots[id].run
            && *run == of
        {
            running.abort();
        }
    }

    /// Drops a `cancel` service's run at its next `.await`; but if it waits for events, then only when it
    /// has read those that have come, so that it sees the stop request.
    pub(super) fn cancel(&self, ServiceId(id): ServiceId, of: RunId) {
        let ServiceSlot { scope, run, .. } = &self.slots[id];
        let Some((_, _, running)) = run.as_ref().filter(|(run, ..)| *run == of) else { return };
        match (running, scope.supervisor().unread(scope), scope.hub.data_plane()) {
            (Running::Task(task), Some(read), Some(data_plane)) => {
                let task = task.clone();
                data_plane.spawn(async move {
                    // It may wait for something else by now.
                    let _ = timeout(READ_LIMIT, read).await;
                    task.abort();
                });
            }
            _ => running.abort(),
        }
    }

    /// Whether its runs go on in runtimes of their own.
    pub(super) fn has_own_runtime(&self, ServiceId(id): ServiceId) -> bool {
        self.slots[id].own_runtime
    }

    pub(super) fn run_began(&self, ServiceId(id): ServiceId, of: RunId) -> Option<(&'static Scope, Instant)> {
        let ServiceSlot { scope, run, .. } = &self.slots[id];
        run.as_ref().filter(|(run, ..)| *run == of).map(|&(_, began, _)| (*scope, began))
    }

    /// Publishes the states of the services that may have changed to their handles.
    pub(super) fn publish(&mut self, state: &mut State) {
        for id in state.take_changed() {
            let (Some(slot), Some(service)) = (self.slots.get_mut(id.0), state.services().get(id.0)) else { continue };
            let (state, drained) = (service.state(), state.is_drained(id));
            if service.is_over() && !drained {
                self.undrained.insert(id);
            } else {
                self.undrained.remove(&id);
            }
            if drained
                && service.is_over()
                && let Some((_, _, Running::OwnRuntime(own))) = &mut slot.run
            {
                *own = None;
            }
            slot.snapshot.send_if_modified(|known| {
                let same_run = known.id == Some(id) && known.run == service.run;
                if same_run && known.state == state && known.drained == drained {
                    return false;
                }
                if !same_run || known.state != state {
                    known.since = Instant::now();
                }
                let last_error = service.last_error.clone();
                *known = ServiceSnapshot {
                    id: Some(id),
                    before: service.before,
                    run: service.run,
                    restarts: service.restarts(),
                    state,
                    drained,
                    last_error,
                    ..*known
                };
                true
            });
        }
    }
}

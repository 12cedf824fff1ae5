//! The services' other half: what the machine decides about, this holds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::machine::{ExitReason, Input, Owner, RunId, ServiceId, State};
use crate::session::{
    Body, Factory, Known, NewService, Scope, ServiceSnapshot, SnapshotSender, Supervisor, reason_of_dropped,
};

/// How long a `cancel` service may take to read the events that it waits for.
const READ_LIMIT: Duration = Duration::from_millis(100);

/// One service as the control plane holds it.
pub(super) struct ServiceSlot {
    pub(super) scope: &'static Scope,
    /// Until the service is over for good.
    factory: Option<Arc<Mutex<Factory>>>,
    snapshot: SnapshotSender,
    /// The present life, and when it began.
    run: Option<(RunId, Instant, AbortHandle)>,
}

impl ServiceSlot {
    /// Drops what was kept for the next run, since there is none. That is the user's code: it runs on the data
    /// plane as the service's body, and the service has stopped only when it has returned.
    fn drop_state(&mut self, id: ServiceId, run: RunId) {
        let supervisor = self.scope.supervisor;
        let (Some(data_plane), Some(factory)) = (supervisor.data_plane(), self.factory.take()) else {
            return supervisor.event(Input::StateDropped { id, run, panic: None });
        };
        data_plane.spawn(drop_as_body(DroppedState {
            scope: self.scope,
            id,
            run,
            factory: Some(factory),
            panic: None,
        }));
    }
}

async fn drop_as_body(mut state: DroppedState) {
    state.drop_now();
}

/// The state of a service that has run for the last time. Its end is reported, however it comes about: also
/// when the data plane shuts down before it gets to this task.
struct DroppedState {
    scope: &'static Scope,
    id: ServiceId,
    run: RunId,
    factory: Option<Arc<Mutex<Factory>>>,
    panic: Option<String>,
}

impl DroppedState {
    fn drop_now(&mut self) {
        if let Some(factory) = self.factory.take()
            && let Err(panic) = self.scope.body().run(|| drop(factory))
        {
            self.panic = panic.error().map(str::to_owned);
        }
    }
}

impl Drop for DroppedState {
    fn drop(&mut self) {
        self.drop_now();
        let panic = self.panic.take();
        self.scope.supervisor.event(Input::StateDropped { id: self.id, run: self.run, panic });
    }
}

/// All services, by their ids.
#[derive(Default)]
pub(super) struct ServiceTable(Vec<ServiceSlot>);

impl ServiceTable {
    /// Takes a service in under its number, which may have been another's that is gone.
    pub(super) fn add(&mut self, supervisor: &'static Supervisor, id: ServiceId, new: NewService) {
        let NewService { spec, factory, snapshot, .. } = new;
        let (name, location) = (spec.name.clone(), spec.location);
        let parent = spec.parent.map(|parent| parent.id);
        supervisor.introduce(id, Known { name, location, parent, snapshot: snapshot.subscribe() });
        let gone = self.0.get(id.0).map(|gone| gone.scope);
        let scope = match gone {
            Some(gone) if gone.location == spec.location && !gone.is_spent() => gone,
            _ => {
                gone.inspect(|gone| supervisor.retire_scope(gone));
                supervisor.new_scope(Owner::Service(id), &spec.name, spec.location, RunId::default())
            }
        };
        let slot = ServiceSlot { scope, factory: Some(Arc::new(Mutex::new(factory))), snapshot, run: None };
        match self.0.get_mut(id.0) {
            Some(gone) => *gone = slot,
            None => self.0.push(slot),
        }
    }

    pub(super) fn scope(&self, ServiceId(id): ServiceId) -> &'static Scope {
        self.0[id].scope
    }

    /// Begins a life on the data plane.
    pub(super) fn begin(&mut self, id: ServiceId, run: RunId) {
        let slot = &mut self.0[id.0];
        let (Some(data_plane), Some(factory)) = (slot.scope.supervisor.data_plane(), &slot.factory) else {
            return;
        };
        if slot.scope.is_spent() {
            let Scope { supervisor, owner, name, location, .. } = slot.scope;
            supervisor.retire_scope(slot.scope);
            slot.scope = supervisor.new_scope(*owner, name, *location, run);
        }
        slot.scope.begin(run);
        let task = data_plane.spawn(supervise_run(slot.scope, id, run, Arc::clone(factory)));
        slot.run = Some((run, Instant::now(), task.abort_handle()));
    }

    pub(super) fn drop_state(&mut self, id: ServiceId, run: RunId) {
        self.0[id.0].drop_state(id, run);
    }

    /// Drops a run's future at its next `.await`.
    pub(super) fn abort(&self, ServiceId(id): ServiceId, of: RunId) {
        if let Some((run, _, task)) = &self.0[id].run
            && *run == of
        {
            task.abort();
        }
    }

    /// Drops a `cancel` service's run at its next `.await`; but if it waits for events, then only when it
    /// has read those that have come, so that it sees the stop request.
    pub(super) fn cancel(&self, ServiceId(id): ServiceId, of: RunId) {
        let ServiceSlot { scope, run, .. } = &self.0[id];
        let Some((_, _, task)) = run.as_ref().filter(|(run, ..)| *run == of) else { return };
        match (scope.supervisor.unread(scope), scope.supervisor.data_plane()) {
            (Some(read), Some(data_plane)) => {
                let task = task.clone();
                data_plane.spawn(async move {
                    // It may wait for something else by now.
                    let _ = timeout(READ_LIMIT, read).await;
                    task.abort();
                });
            }
            _ => task.abort(),
        }
    }

    pub(super) fn run_began(&self, ServiceId(id): ServiceId, of: RunId) -> Option<(&'static Scope, Instant)> {
        let ServiceSlot { scope, run, .. } = &self.0[id];
        run.as_ref().filter(|(run, ..)| *run == of).map(|&(_, began, _)| (*scope, began))
    }

    /// Publishes the services' states to their handles.
    pub(super) fn publish(&mut self, state: &State) {
        for (id, (slot, service)) in self.0.iter_mut().zip(state.services()).enumerate() {
            let id = ServiceId(id);
            let (state, drained) = (service.state(), state.is_drained(id));
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

/// One life, from the factory to its end, which is always reported: also of one that is dropped before
/// it was ever polled.
fn supervise_run(
    scope: &'static Scope,
    id: ServiceId,
    run: RunId,
    factory: Arc<Mutex<Factory>>,
) -> impl Future<Output = ()> + Send {
    let end = End { scope, id, run, reason: None };
    run_to(end, factory)
}

async fn run_to(mut end: End, factory: Arc<Mutex<Factory>>) {
    let (scope, run) = (end.scope, end.run);
    // The factory runs the user's code too: it clones the state.
    let body = scope.body();
    let make = || (factory.lock().unwrap_or_else(PoisonError::into_inner))(scope, run);
    let reason = match body.run(make) {
        Ok(run) => match Body::new(body, run).await {
            Ok(reason) => reason,
            Err(panic) => panic,
        },
        Err(panic) => panic,
    };
    end.reason = Some(reason);
}

/// Reports the end of a life when it is dropped, however that comes about.
struct End {
    scope: &'static Scope,
    id: ServiceId,
    run: RunId,
    reason: Option<ExitReason>,
}

impl Drop for End {
    fn drop(&mut self) {
        let reason = self.reason.take().unwrap_or_else(reason_of_dropped);
        self.scope.supervisor.event(Input::ServiceEnded { id: self.id, run: self.run, reason });
    }
}

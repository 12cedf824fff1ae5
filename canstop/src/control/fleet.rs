//! The services' other half: what the machine decides about, this holds.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::machine::{Ending, Event, Generation, Owner, ServiceId, State};
use crate::session::{Body, Factory, Known, NewService, Scope, Standing, Supervisor, ending_of_dropped};

/// One service as the control plane holds it.
pub(super) struct Vessel {
    pub(super) scope: &'static Scope,
    /// Until the service is over for good.
    factory: Option<Arc<Mutex<Factory>>>,
    standing: watch::Sender<Standing>,
    /// The present life, and when it began.
    life: Option<(Generation, Instant, AbortHandle)>,
}

impl Vessel {
    /// Drops what was kept for the next life, since there is none: a channel's sender in it would
    /// keep the receiver waiting. That is the user's code, so it runs on the data plane.
    fn drop_state(&mut self) {
        if let Some(data_plane) = self.scope.supervisor.data_plane()
            && let Some(factory) = self.factory.take()
        {
            data_plane.spawn(async move { drop(factory) });
        }
    }
}

/// All services, by their ids.
#[derive(Default)]
pub(super) struct Fleet(Vec<Vessel>);

impl Fleet {
    /// Takes a service in under its number, which may have been another's that is gone.
    pub(super) fn add(&mut self, supervisor: &'static Supervisor, id: ServiceId, new: NewService) {
        let NewService { spec, factory, standing, .. } = new;
        let (name, place) = (spec.name.clone(), spec.place);
        let parent = spec.parent.map(|parent| parent.id);
        supervisor.introduce(id, Known { name, place, parent, standing: standing.subscribe() });
        let gone = self.0.get(id.0).map(|gone| gone.scope);
        let scope = match gone {
            Some(gone) if gone.place == spec.place && !gone.is_spent() => gone,
            _ => {
                gone.inspect(|gone| supervisor.retire_scope(gone));
                supervisor.new_scope(Owner::Service(id), &spec.name, spec.place, Generation::default())
            }
        };
        let vessel = Vessel { scope, factory: Some(Arc::new(Mutex::new(factory))), standing, life: None };
        match self.0.get_mut(id.0) {
            Some(gone) => *gone = vessel,
            None => self.0.push(vessel),
        }
    }

    pub(super) fn scope(&self, ServiceId(id): ServiceId) -> &'static Scope {
        self.0[id].scope
    }

    /// Begins a life on the data plane.
    pub(super) fn begin(&mut self, id: ServiceId, generation: Generation) {
        let vessel = &mut self.0[id.0];
        let (Some(data_plane), Some(factory)) = (vessel.scope.supervisor.data_plane(), &vessel.factory) else {
            return;
        };
        if vessel.scope.is_spent() {
            let Scope { supervisor, owner, name, place, .. } = vessel.scope;
            supervisor.retire_scope(vessel.scope);
            vessel.scope = supervisor.new_scope(*owner, name, *place, generation);
        }
        vessel.scope.begin(generation);
        let task = data_plane.spawn(live(vessel.scope, id, generation, Arc::clone(factory)));
        vessel.life = Some((generation, Instant::now(), task.abort_handle()));
    }

    /// Drops a life at its next `.await`.
    pub(super) fn abort(&self, ServiceId(id): ServiceId, of: Generation) {
        if let Some((generation, _, task)) = &self.0[id].life
            && *generation == of
        {
            task.abort();
        }
    }

    pub(super) fn life_began(&self, ServiceId(id): ServiceId, of: Generation) -> Option<(&'static Scope, Instant)> {
        let Vessel { scope, life, .. } = &self.0[id];
        life.as_ref().filter(|(generation, ..)| *generation == of).map(|&(_, began, _)| (*scope, began))
    }

    /// Lets the services' handles see how they stand, and lets go of the state of those that are over.
    pub(super) fn publish(&mut self, state: &State) {
        for (id, (vessel, service)) in self.0.iter_mut().zip(state.services()).enumerate() {
            if service.is_over() {
                vessel.drop_state();
            }
            let id = ServiceId(id);
            let (state, drained) = (service.state(), state.is_drained(id));
            vessel.standing.send_if_modified(|known| {
                let same_life = known.id == Some(id) && known.life == service.generation;
                if same_life && known.state == state && known.drained == drained {
                    return false;
                }
                if !same_life || known.state != state {
                    known.since = Instant::now();
                }
                let last_error = service.last_error.clone();
                *known = Standing {
                    id: Some(id),
                    before: service.before,
                    life: service.generation,
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
fn live(
    scope: &'static Scope,
    id: ServiceId,
    generation: Generation,
    factory: Arc<Mutex<Factory>>,
) -> impl Future<Output = ()> + Send {
    let end = End { scope, id, generation, ending: None };
    run_to(end, factory)
}

async fn run_to(mut end: End, factory: Arc<Mutex<Factory>>) {
    let (scope, generation) = (end.scope, end.generation);
    // The factory runs the user's code too: it clones the state.
    let body = scope.body();
    let make = || (factory.lock().unwrap_or_else(PoisonError::into_inner))(scope, generation);
    let ending = match body.run(make) {
        Ok(life) => match Body::new(body, life).await {
            Ok(ending) => ending,
            Err(panic) => panic,
        },
        Err(panic) => panic,
    };
    end.ending = Some(ending);
}

/// Reports the end of a life when it is dropped, however that comes about.
struct End {
    scope: &'static Scope,
    id: ServiceId,
    generation: Generation,
    ending: Option<Ending>,
}

impl Drop for End {
    fn drop(&mut self) {
        let ending = self.ending.take().unwrap_or_else(ending_of_dropped);
        self.scope.supervisor.event(Event::ServiceEnded { id: self.id, generation: self.generation, ending });
    }
}

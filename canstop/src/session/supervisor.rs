//! A supervisor: its hub, its scopes, and what is done to all sessions of a scope.

use std::ops::Deref;
use std::panic;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::current;
use super::event_streams::{EventReader, EventStreams};
use super::hub::Hub;
use super::membership::Membership;
use super::message::Inbox;
use super::output::NotAResult;
use super::scope::{Kind, Registered, Scope, StopCallback};
use super::scope_pool::ScopePool;
use super::service_snapshot::SnapshotReceiver;
use super::site;
use super::static_ref::StaticRef;
use super::table::{self, Wakings};
use super::thread::{Role, visit};
use super::tracked::BlockingSession;
use crate::failure::catch;
use crate::machine::{Event, Location, Owner, RunId, ServiceId};

/// A service of the program, for status reports.
#[derive(Clone, Debug)]
pub(crate) struct ServiceRecord {
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) parent: Option<ServiceId>,
    pub(crate) snapshot: SnapshotReceiver,
}

/// Where flush hooks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookThreads {
    /// Each has a thread, whatever the blocking pool does.
    Own,
    BlockingPool,
}

/// There is one per program, and one per test. It is never freed, so that sessions that outlast it are still
/// counted.
///
/// It dereferences to its [`Hub`], the part that its scopes refer to.
#[derive(Debug)]
pub(crate) struct Supervisor {
    hub: Hub,
    root: StaticRef<Scope>,
    /// Those in use, without their groups.
    scopes: Mutex<Vec<&'static Scope>>,
    retired: ScopePool,
    /// By their numbers.
    services: Mutex<Vec<ServiceRecord>>,
    event_streams: EventStreams,
    wakings: Wakings,
}

impl Deref for Supervisor {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.hub
    }
}

impl Scope {
    /// The supervisor that it belongs to. Slower than its hub: for what needs all scopes.
    pub(crate) fn supervisor(&self) -> &'static Supervisor {
        let supervisor = self.hub.supervisor().and_then(|supervisor| supervisor.downcast_ref());
        supervisor.expect("a hub is made with its supervisor")
    }
}

impl Supervisor {
    pub(crate) fn new() -> (&'static Self, Inbox) {
        table::prepare();
        let (hub, inbox) = Hub::new();
        let supervisor: &'static Self = Box::leak(Box::new(Self {
            hub,
            root: StaticRef::none(),
            scopes: Mutex::new(Vec::new()),
            retired: ScopePool::default(),
            services: Mutex::new(Vec::new()),
            event_streams: EventStreams::default(),
            wakings: Wakings::default(),
        }));
        supervisor.hub.set_supervisor(supervisor);
        supervisor.begin_root();
        (supervisor, inbox)
    }

    fn begin_root(&'static self) {
        let root = self.new_scope(Owner::Root, "main", Location { file: "main", line: 0 }, RunId(1));
        self.root.store(Some(root), Ordering::Release);
    }

    /// The owner of everything that belongs to no service.
    pub(crate) fn root(&self) -> &'static Scope {
        self.root.load(Ordering::Acquire).expect("a supervisor is made with its root")
    }

    /// Lets the root begin anew. Its abandoned sessions stay where they are, as those of a service's earlier run do.
    pub(crate) fn renew_root(&'static self) {
        let before = self.root();
        self.begin_root();
        self.retire_scope(before);
        current::attach_anew(before, self.root());
    }

    /// A scope for this owner, new or reused.
    pub(crate) fn new_scope(&'static self, owner: Owner, name: &str, location: Location, run: RunId) -> &'static Scope {
        let scope = match self.retired.take(owner, name, location) {
            Some(scope) => scope.renewed(),
            None => Box::leak(Box::new(Scope::new(&self.hub, owner, name.to_owned(), location, run))),
        };
        self.lock_scopes().push(scope);
        self.scope_changed(scope);
        scope
    }

    /// Counts a scope and its groups no longer. The sessions that it still has were abandoned.
    pub(crate) fn retire_scope(&self, scope: &'static Scope) {
        self.lock_scopes().retain(|known| !ptr::eq(*known, scope));
        self.retired.keep(scope);
        self.scope_changed(scope);
    }

    /// The counters of this scope are listed from now on, or no longer.
    fn scope_changed(&self, scope: &Scope) {
        let has_counters = |scope: &Scope| !scope.lock_counters().is_empty();
        if has_counters(scope) || scope.groups().into_iter().any(has_counters) {
            self.counters_changed();
        }
    }

    /// The scopes in use, each followed by its groups.
    pub(crate) fn scopes(&self) -> Vec<&'static Scope> {
        with_groups(&self.lock_scopes())
    }

    /// The scopes in use and those that are retired, with their groups.
    pub(super) fn all_scopes(&self) -> Vec<&'static Scope> {
        let mut scopes = self.scopes();
        scopes.extend(with_groups(&self.retired.all()));
        scopes
    }

    /// The groups from this number on, in the order of their numbers.
    pub(crate) fn groups_from(&self, number: usize) -> Vec<&'static Scope> {
        // Held meanwhile, so that none below the last one is missed.
        let groups = self.lock_groups();
        if *groups == number {
            return Vec::new();
        }
        let number_of = |scope: &Scope| match scope.owner {
            Owner::Group(number) => Some(number),
            Owner::Root | Owner::Service(_) => None,
        };
        let mut found: Vec<_> = self.all_scopes();
        found.retain(|scope| number_of(scope).is_some_and(|group| group >= number));
        found.sort_by_key(|scope| number_of(scope));
        drop(groups);
        found
    }

    fn lock_scopes(&self) -> MutexGuard<'_, Vec<&'static Scope>> {
        self.scopes.lock().expect("nothing panics while it holds the list of scopes")
    }

    /// Enters a service under its number, which may have been another service's.
    pub(crate) fn add_service(&self, ServiceId(id): ServiceId, service: ServiceRecord) {
        let mut services = self.lock_services();
        match services.get_mut(id) {
            Some(ended) => *ended = service,
            None => services.push(service),
        }
    }

    pub(crate) fn services(&self) -> Vec<ServiceRecord> {
        self.lock_services().clone()
    }

    fn lock_services(&self) -> MutexGuard<'_, Vec<ServiceRecord>> {
        self.services.lock().expect("nothing panics while it holds the list of services")
    }

    /// From now on this runtime's threads belong to this supervisor, also those that only enter it. Returns the data
    /// plane's handle unless it was detached.
    pub(crate) fn attach_data_plane(&'static self, handle: &Handle) -> Option<Arc<Handle>> {
        if self.off_control().data_plane().attach(handle) {
            current::attach(handle.id(), self.root());
        }
        self.data_plane()
    }

    /// Drops the handle of a runtime that was shut down. It keeps the runtime's descriptors open.
    pub(crate) fn detach_data_plane(&'static self) {
        current::detach_all(self.root());
        self.off_control().data_plane().detach();
    }

    /// Lets this thread, which is one of the data plane's, belong to the root for good.
    pub(crate) fn adopt_thread(&'static self) {
        self.root().adopt_thread(Role::DataPlane, self.attach_data_plane(&Handle::current()));
    }

    /// Requests the stop of a run, and of its sessions.
    ///
    /// Tasks of the runtime are woken from here. Tokens and callbacks wake or are user code, which runs off the
    /// control thread.
    pub(crate) fn request_stop(&'static self, scope: &'static Scope, run: RunId, until: Instant) {
        if let Some(Registered { token, callbacks }) = scope.request_stop(run, until) {
            self.hub.run_off_control(move || token.cancel());
            callbacks.into_iter().for_each(|callback| self.run_callback(scope, callback));
        }
        scope.wake_body();
        self.wake_sessions(scope);
    }

    /// Abandons the sessions of a scope: each is woken, and dropped at its next poll.
    pub(crate) fn abandon_sessions(&'static self, scope: &'static Scope) {
        scope.set_abandoned();
        self.retired.watch_abandoned(scope);
        self.wake_sessions(scope);
    }

    /// Wakes the waiting sessions of a scope and of its groups, while sessions are watched.
    pub(super) fn wake_sessions(&self, scope: &'static Scope) {
        self.wakings.request(scope, self.data_plane().as_deref());
    }

    /// Continues to wake sessions where their runtime does not. Called by the control plane in each of its turns.
    pub(crate) fn continue_waking(&self) {
        self.wakings.proceed(self.data_plane().as_deref());
    }

    /// Returns true if all requested wakes are done.
    #[cfg(test)]
    pub(super) fn has_woken_all(&self) -> bool {
        self.wakings.is_done()
    }

    /// Stops watching abandoned sessions that have ended.
    pub(super) fn unwatch_ended(&self) {
        self.retired.unwatch_ended();
    }

    /// How many scopes have abandoned sessions that are watched.
    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        self.retired.watched()
    }

    /// Runs a callback, off the control thread, when the stop of this run is requested.
    #[track_caller]
    pub(crate) fn on_stopping(
        &'static self,
        scope: &'static Scope,
        run: RunId,
        callback: impl FnOnce() + Send + 'static,
    ) {
        let caller = panic::Location::caller();
        let site = site::of_callback(Location { file: caller.file(), line: caller.line() });
        let callback = StopCallback { site, run: Box::new(callback) };
        if let Some(callback) = scope.register(run, callback) {
            self.run_callback(scope, callback);
        }
    }

    /// Runs a callback as a session of its scope: it is waited for, named if it blocks, and its panic is reported.
    fn run_callback(&'static self, scope: &'static Scope, StopCallback { site, run }: StopCallback) {
        let membership = visit(|_| Membership::begin(site, scope, Kind::Blocking));
        let session = BlockingSession { closure: run, observer: NotAResult, membership };
        self.hub.run_off_control(move || session.run());
    }

    /// Runs every flush hook, each on a thread that may use the data plane. Reports the end of each.
    pub(crate) fn run_flush_hooks(&'static self, place: HookThreads) {
        for (number, name, hook) in self.begin_flush_hooks() {
            let run = {
                let name = name.clone();
                move || {
                    let _scope = self.root().enter();
                    let data_plane = self.data_plane();
                    let _runtime = data_plane.as_ref().map(|data_plane| data_plane.enter());
                    let panic = catch(hook).err();
                    self.flush_ended(number, name, panic);
                }
            };
            let pool = self.data_plane().filter(|_| place == HookThreads::BlockingPool);
            let spawned = match pool {
                Some(data_plane) => {
                    data_plane.spawn_blocking(run);
                    Ok(())
                }
                None => thread::Builder::new().name("canstop-flush".to_owned()).spawn(run).map(drop),
            };
            if let Err(error) = spawned {
                self.flush_ended(number, name, Some(format!("cannot start its thread: {error}")));
            }
        }
    }

    /// A stream of all events from now on.
    pub(crate) fn subscribe(&'static self) -> EventReader {
        self.event_streams.subscribe()
    }

    /// Puts an event into every stream.
    pub(crate) fn publish(&'static self, event: &Event) {
        self.event_streams.publish(event, &self.hub);
    }

    /// Returns true if a session or a body may wait for an event. Cheap.
    pub(crate) fn has_watchers(&self) -> bool {
        self.event_streams.has_watchers()
    }

    /// As [`EventStreams::end_watchers`].
    pub(crate) fn end_watchers(&'static self, left: u64) {
        self.event_streams.end_watchers(left, &self.hub);
    }

    /// As [`EventStreams::unread`].
    pub(crate) fn unread(&self, scope: &'static Scope) -> Option<impl Future<Output = ()> + Send + use<>> {
        self.event_streams.unread(scope)
    }
}

fn with_groups(scopes: &[&'static Scope]) -> Vec<&'static Scope> {
    let mut all = Vec::with_capacity(scopes.len());
    for &scope in scopes {
        all.push(scope);
        all.extend(scope.groups());
    }
    all
}

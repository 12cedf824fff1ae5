//! Whom a session belongs to, and how it hears that it should stop.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::body::BodyName;
use super::counter::{Counter, Kind};
use super::site::Site;
use super::supervisor::{AttachedRuntime, Supervisor, scope_of_current_runtime};
use super::tally::Tally;
use super::thread::{self, Belonging, replace_belonging};
use crate::machine::{Location, Owner, RunId};

/// A service, or the edge: what sessions belong to and are counted under.
///
/// Scopes are never freed, so that a session needs no reference count to reach its own.
pub(crate) struct Scope {
    pub(crate) supervisor: &'static Supervisor,
    pub(crate) owner: Owner,
    /// What a group of sessions with a grace of their own stands under, and that grace.
    group: Option<(&'static Scope, GroupGrace)>,
    /// Another one when the scope goes to another service.
    name: Mutex<String>,
    pub(crate) location: Location,
    /// What its body is called while a thread runs it.
    body: OnceLock<BodyName>,
    /// The current run.
    run: AtomicU32,
    /// The last run that has called `ready()`.
    ready: AtomicU32,
    /// The last run whose stop was requested. Every earlier one is stopping too.
    stop_by: AtomicU32,
    /// Its sessions are dropped at their next poll.
    abandoned: AtomicBool,
    current: Mutex<CurrentRun>,
    /// Every thread's counters for its sessions.
    counters: Mutex<Vec<&'static Counter>>,
    /// By grace: sessions of this scope that have less time than it.
    groups: Mutex<Vec<(GroupGrace, &'static Scope)>>,
}

/// The time that the sessions of a group have, if that is less than their home's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupGrace {
    pub(crate) grace: Duration,
    /// They are dropped then, without blame.
    pub(crate) cancels: bool,
}

/// What changes with each run.
#[derive(Default)]
struct CurrentRun {
    /// Sessions of earlier runs may hold it too: a run keeps the token of the run before it, unless that
    /// one's stop was requested.
    token: CancellationToken,
    /// The stop was requested. The token is cancelled soon, on a thread that may run user code.
    stop_requested: bool,
    /// What runs when the stop is requested.
    on_stopping: Vec<StopCallback>,
    /// The task of the body, once that is polled.
    body: Option<Waker>,
    until: Option<Instant>,
}

/// User code that runs when a stop is requested, and the place that registered it.
pub(super) struct StopCallback {
    pub(super) site: &'static Site,
    pub(super) run: Box<dyn FnOnce() + Send>,
}

/// What a stop request found registered. Waking and calling it is user code.
pub(super) struct Registered {
    pub(super) token: CancellationToken,
    pub(super) callbacks: Vec<StopCallback>,
}

impl Scope {
    pub(super) fn new(
        supervisor: &'static Supervisor,
        owner: Owner,
        name: String,
        location: Location,
        run: RunId,
    ) -> Self {
        Self {
            supervisor,
            owner,
            group: None,
            name: Mutex::new(name),
            location,
            body: OnceLock::new(),
            run: AtomicU32::new(run.0),
            ready: AtomicU32::new(0),
            stop_by: AtomicU32::new(0),
            abandoned: AtomicBool::new(false),
            current: Mutex::new(CurrentRun::default()),
            counters: Mutex::new(Vec::new()),
            groups: Mutex::new(Vec::new()),
        }
    }

    /// The scope of a group number `group` under `home`. Its sessions hear what the home hears, and
    /// what they spawn belongs there.
    pub(super) fn new_group(home: &'static Scope, group: usize, grace: GroupGrace) -> Self {
        let scope = Self::new(home.supervisor, Owner::Group(group), home.name(), home.location, home.run_id());
        Self { group: Some((home, grace)), ..scope }
    }

    pub(crate) fn name(&self) -> String {
        self.lock_name().clone()
    }

    /// Gives the scope, and the groups under it, to a service of another name. Nothing of the one before is left.
    pub(crate) fn rename(&self, name: &str) {
        name.clone_into(&mut self.lock_name());
        self.groups().iter().for_each(|group| name.clone_into(&mut group.lock_name()));
    }

    fn lock_name(&self) -> std::sync::MutexGuard<'_, String> {
        self.name.lock().expect("nothing panics while it holds the name")
    }

    /// Whose code its sessions are.
    pub(crate) fn home(&'static self) -> &'static Scope {
        self.group.map_or(self, |(home, _)| home)
    }

    /// The grace of its own, if it is a group.
    pub(crate) fn group_grace(&self) -> Option<GroupGrace> {
        self.group.map(|(_, grace)| grace)
    }

    /// Where the sessions of this site are counted: here, or in a group if they have a grace of their own.
    pub(super) fn counts(&'static self, site: &Site) -> &'static Scope {
        let Site { grace, cancels, .. } = *site;
        grace.map_or(self, |grace| self.group(GroupGrace { grace, cancels }))
    }

    /// The group of those of its sessions that have this grace.
    fn group(&'static self, grace: GroupGrace) -> &'static Scope {
        let mut groups = self.lock_groups();
        if let Some((_, group)) = groups.iter().find(|(known, _)| *known == grace) {
            return group;
        }
        let group = self.supervisor.new_group(self, grace);
        groups.push((grace, group));
        group
    }

    /// Counts a session that is dropped because it may be.
    pub(super) fn count_if_cancelled(&self) {
        if self.group.is_some_and(|(_, grace)| grace.cancels) {
            self.supervisor.count_cancelled();
        }
    }

    pub(crate) fn body(&'static self) -> BodyName {
        *self.body.get_or_init(|| BodyName::new(self))
    }

    #[inline]
    pub(crate) fn run_id(&self) -> RunId {
        RunId(self.run.load(Ordering::Relaxed))
    }

    /// Begins the next run, whose stop has not been requested.
    ///
    /// Sessions of an earlier run that nobody asked to stop wait for the same token, and are stopped with
    /// this run.
    pub(crate) fn begin(&'static self, run: RunId) {
        let is_waited_for = self.has_sessions();
        let before = {
            let mut current = self.lock_run();
            let mut before = std::mem::take(&mut *current);
            if !before.stop_requested {
                current.token = before.token.clone();
                if is_waited_for {
                    current.on_stopping = std::mem::take(&mut before.on_stopping);
                }
            }
            self.run.store(run.0, Ordering::Relaxed);
            before
        };
        // Callbacks are the user's to drop. A waker may be the last thing that holds its task.
        if !before.on_stopping.is_empty() {
            self.supervisor.run_off_control(move || drop(before));
        }
    }

    /// Requests the stop of a run and of those before it, and returns what the caller must wake. None of
    /// it is returned twice.
    ///
    /// The flag is raised before anything is woken, and whatever is about to wait looks at the flag again
    /// once it can be woken: so nothing sleeps through the request.
    pub(super) fn request_stop(&self, run: RunId, until: Instant) -> Option<Registered> {
        let registered = {
            let mut current = self.lock_run();
            current.until = Some(until);
            let callbacks = std::mem::take(&mut current.on_stopping);
            let is_first = !std::mem::replace(&mut current.stop_requested, true);
            is_first.then(|| Registered { token: current.token.clone(), callbacks })
        };
        self.stop_by.fetch_max(run.0, Ordering::Release);
        registered
    }

    /// Registers a callback for the stop of this run, or returns it if that was requested already.
    pub(super) fn register(&self, run: RunId, callback: StopCallback) -> Option<StopCallback> {
        let mut current = self.lock_run();
        if current.stop_requested || self.is_stopping(run) {
            return Some(callback);
        }
        current.on_stopping.push(callback);
        None
    }

    /// Wakes the task of the body.
    pub(super) fn wake_body(&self) {
        let body = self.lock_run().body.clone();
        if let Some(body) = body {
            body.wake();
        }
    }

    /// From now on the body's task is woken when its stop is requested.
    pub(super) fn listen(&self, body: Waker) {
        let before = self.lock_run().body.replace(body);
        drop(before);
    }

    /// The body has ended.
    pub(super) fn listen_no_longer(&self, body: &Waker) {
        let gone = self.lock_run().body.take_if(|known| known.will_wake(body));
        drop(gone);
    }

    /// Returns true once the stop of this run was requested. One relaxed load: the wake orders what follows.
    #[inline]
    pub(crate) fn is_stopping(&self, run: RunId) -> bool {
        self.stop_by.load(Ordering::Relaxed) >= run.0
    }

    /// Is this the first time that this run announces that it is ready?
    pub(crate) fn announces_ready(&self, run: RunId) -> bool {
        // Looked at first: a word that many threads write is slow, one that they read is not.
        self.ready.load(Ordering::Relaxed) < run.0 && self.ready.fetch_max(run.0, Ordering::Relaxed) < run.0
    }

    pub(crate) fn until(&self) -> Option<Instant> {
        self.lock_run().until
    }

    /// The token of the current run.
    pub(crate) fn token(&self) -> CancellationToken {
        self.lock_run().token.clone()
    }

    pub(super) fn set_abandoned(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    /// Were sessions of it, or of a group under it, given up? Then it can serve no later life until they
    /// are gone.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_abandoned() || self.groups().iter().any(|group| group.is_abandoned())
    }

    /// As new, once nothing is left of what was given up.
    pub(super) fn renewed(&'static self) -> &'static Self {
        self.abandoned.store(false, Ordering::Relaxed);
        self.groups().iter().for_each(|group| group.abandoned.store(false, Ordering::Relaxed));
        self
    }

    /// Returns true while it, or a group under it, has a session that has not ended.
    pub(crate) fn has_sessions(&self) -> bool {
        self.has_any(|_| true)
    }

    /// As [`has_sessions`](Self::has_sessions), for sessions that are polled. A closure on the blocking pool
    /// is not: nothing can reach it.
    pub(super) fn has_polled_sessions(&self) -> bool {
        self.has_any(|counter| counter.kind == Kind::Session)
    }

    fn has_any(&self, counts: impl Fn(&Counter) -> bool) -> bool {
        let sum_of_one = |scope: &Scope, of: fn(&Tally) -> u64| -> u64 {
            scope.lock_counters().iter().filter(|counter| counts(counter)).map(|counter| of(&counter.tally)).sum()
        };
        let groups = self.groups();
        let sum = |of| sum_of_one(self, of) + groups.iter().map(|group| sum_of_one(group, of)).sum::<u64>();
        let finished = sum(Tally::finished);
        finished != sum(Tally::started)
    }

    /// What its counters come to. For what two such sums tell, see [`tally`](super::tally).
    pub(super) fn sum(&self, of: fn(&Tally) -> u64) -> u64 {
        self.lock_counters().iter().map(|counter| of(&counter.tally)).sum()
    }

    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    pub(super) fn add_counter(&self, counter: &'static Counter) {
        self.lock_counters().push(counter);
        self.supervisor.counters_changed();
    }

    pub(super) fn lock_counters(&self) -> std::sync::MutexGuard<'_, Vec<&'static Counter>> {
        self.counters.lock().expect("nothing panics while it holds the list of counters")
    }

    pub(super) fn groups(&self) -> Vec<&'static Scope> {
        self.lock_groups().iter().map(|&(_, group)| group).collect()
    }

    fn lock_groups(&self) -> std::sync::MutexGuard<'_, Vec<(GroupGrace, &'static Scope)>> {
        self.groups.lock().expect("nothing panics while it holds the list of groups")
    }

    fn lock_run(&self) -> std::sync::MutexGuard<'_, CurrentRun> {
        self.current.lock().expect("nothing panics while it holds the current run")
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("owner", &self.owner).field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The scope of the code that calls this, if a supervisor is near.
#[inline]
pub(crate) fn current_scope() -> Option<&'static Scope> {
    match thread::current() {
        Some(counter) => Some(counter.home),
        None => scope_of_current_runtime(),
    }
}

/// The scope of the code that calls this.
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[inline]
#[track_caller]
pub(crate) fn expect_scope(what: &str) -> &'static Scope {
    match current_scope() {
        Some(scope) => scope,
        None => outside(what),
    }
}

#[cold]
#[track_caller]
fn outside(what: &str) -> ! {
    panic!(
        "{what} was called outside a supervisor, where nobody would wait for its work. Call it in a program that \
         `#[canstop::main]` or `canstop::App` runs: in `main`, a service, a session, or any task on their runtime. On a \
         thread of your own, hold the guard of `lifecycle.enter()` while you call it."
    )
}

/// While it lives, the thread's code belongs to this scope.
#[derive(Debug)]
#[must_use = "the thread leaves the scope when this is dropped"]
pub(crate) struct EnteredScope {
    before: Belonging,
    /// Not `Send`: it must be dropped on the thread that it changed.
    not_send: std::marker::PhantomData<*const ()>,
}

impl Scope {
    /// On a thread that is not the data plane's.
    pub(crate) fn enter(&'static self) -> EnteredScope {
        self.enter_on(None)
    }

    /// On the thread that drives the data plane.
    pub(crate) fn enter_data_plane(&'static self) -> EnteredScope {
        self.enter_on(self.supervisor.data_plane())
    }

    /// On the thread that drives the service's own runtime.
    pub(crate) fn enter_runtime(&'static self, own: Arc<Handle>) -> EnteredScope {
        thread::set_role(thread::Role::OwnRuntime);
        self.enter_on(Some(own))
    }

    /// Makes the service's own runtime known as its, for threads that enter it by its handle.
    pub(crate) fn attach_runtime(&'static self, own: &Handle) -> AttachedRuntime {
        AttachedRuntime::new(own, self)
    }

    /// Makes this the scope of whatever this thread, which is one of the service's own runtime's, runs from now
    /// on.
    pub(crate) fn adopt_thread_of_own_runtime(&'static self) {
        thread::set_role(thread::Role::OwnRuntime);
        let own = Some(Arc::new(Handle::current()));
        replace_belonging(Belonging { current: Some(self.body().0), data_plane: own });
    }

    fn enter_on(&'static self, data_plane: Option<Arc<Handle>>) -> EnteredScope {
        let before = replace_belonging(Belonging { current: Some(self.body().0), data_plane });
        EnteredScope { before, not_send: std::marker::PhantomData }
    }

    /// Makes this the scope of whatever this thread, which is one of the data plane's, runs from now on.
    pub(crate) fn adopt_thread(&'static self) {
        thread::set_role(thread::Role::DataPlane);
        let data_plane = self.supervisor.attach_data_plane(&Handle::current());
        replace_belonging(Belonging { current: Some(self.body().0), data_plane });
    }
}

impl Drop for EnteredScope {
    fn drop(&mut self) {
        replace_belonging(std::mem::take(&mut self.before));
    }
}

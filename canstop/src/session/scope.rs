//! Whom a session belongs to, and how it hears that it should stop.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::body::BodyName;
use super::counter::Counter;
use super::supervisor::{Supervisor, root_of_current_runtime};
use super::tally::Tally;
use super::thread::{self, Belonging, replace_belonging};
use super::waiting;
use crate::machine::{Location, Owner, RunId};

/// A service, or the edge: what sessions belong to and are counted under.
///
/// Scopes are never freed, so that a session needs no reference count to reach its own.
pub(crate) struct Scope {
    pub(crate) supervisor: &'static Supervisor,
    pub(crate) owner: Owner,
    /// What a group of sessions with a grace of their own stands under, and that grace.
    group: Option<(&'static Scope, Duration)>,
    pub(crate) name: String,
    pub(crate) location: Location,
    /// What its body is called while a thread runs it.
    body: OnceLock<BodyName>,
    /// The present life.
    run: AtomicU32,
    /// The last life that was told to stop; every earlier one was too.
    stop_by: AtomicU32,
    /// Its sessions are to be dropped at their next poll.
    abandoned: AtomicBool,
    /// What changes with each life.
    life: Mutex<Life>,
    /// Every thread's counters for its sessions.
    counters: Mutex<Vec<&'static Counter>>,
    /// By grace: sessions of this scope that have less time than it.
    groups: Mutex<Vec<(Duration, &'static Scope)>>,
}

#[derive(Default)]
struct Life {
    token: CancellationToken,
    /// The task of the body, once that is polled.
    body: Option<Waker>,
    until: Option<Instant>,
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
            name,
            location,
            body: OnceLock::new(),
            run: AtomicU32::new(run.0),
            stop_by: AtomicU32::new(0),
            abandoned: AtomicBool::new(false),
            life: Mutex::new(Life::default()),
            counters: Mutex::new(Vec::new()),
            groups: Mutex::new(Vec::new()),
        }
    }

    /// The scope of a group number `group` under `home`. Its sessions hear what the home hears, and
    /// what they spawn belongs there.
    pub(super) fn new_group(home: &'static Scope, group: usize, grace: Duration) -> Self {
        let scope = Self::new(home.supervisor, Owner::Group(group), home.name.clone(), home.location, home.run_id());
        Self { group: Some((home, grace)), ..scope }
    }

    /// Whose code its sessions are.
    pub(crate) fn home(&'static self) -> &'static Scope {
        self.group.map_or(self, |(home, _)| home)
    }

    /// The grace of its own, if it is a group.
    pub(crate) fn group_grace(&self) -> Option<Duration> {
        self.group.map(|(_, grace)| grace)
    }

    /// The group of those of its sessions that have this grace.
    pub(super) fn group(&'static self, grace: Duration) -> &'static Scope {
        let mut groups = self.lock_groups();
        if let Some((_, group)) = groups.iter().find(|(known, _)| *known == grace) {
            return group;
        }
        let group = self.supervisor.new_group(self, grace);
        groups.push((grace, group));
        group
    }

    pub(crate) fn body(&'static self) -> BodyName {
        *self.body.get_or_init(|| BodyName::new(self))
    }

    #[inline]
    pub(crate) fn run_id(&self) -> RunId {
        RunId(self.run.load(Ordering::Relaxed))
    }

    /// Begins the next life, which has not been told anything yet.
    pub(crate) fn begin(&self, run: RunId) {
        let mut life = self.lock_life();
        let before = std::mem::take(&mut *life);
        self.run.store(run.0, Ordering::Relaxed);
        drop(life);
        // A waker may be the last thing that holds its task.
        drop(before);
    }

    /// Lets a life and its sessions hear that they should stop.
    ///
    /// The flag is raised before anybody is woken, and whoever is about to wait looks at it again
    /// once it can be woken: so nobody sleeps through it.
    pub(crate) fn tell(&'static self, run: RunId, until: Instant) {
        let token = {
            let mut life = self.lock_life();
            life.until = Some(until);
            life.token.clone()
        };
        self.stop_by.fetch_max(run.0, Ordering::Release);
        token.cancel();
        if let Some(body) = self.lock_life().body.clone() {
            body.wake();
        }
        waiting::wake_all(self);
    }

    /// From now on the body's task is woken when its life is told to stop.
    pub(super) fn listen(&self, body: Waker) {
        let before = self.lock_life().body.replace(body);
        drop(before);
    }

    /// The body is over.
    pub(super) fn listen_no_longer(&self, body: &Waker) {
        let gone = self.lock_life().body.take_if(|known| known.will_wake(body));
        drop(gone);
    }

    /// Was this life told to stop? One relaxed load: what follows from it is ordered by the wake.
    #[inline]
    pub(crate) fn is_stopping(&self, run: RunId) -> bool {
        self.stop_by.load(Ordering::Relaxed) >= run.0
    }

    pub(crate) fn until(&self) -> Option<Instant> {
        self.lock_life().until
    }

    /// The present life's token.
    pub(crate) fn token(&self) -> CancellationToken {
        self.lock_life().token.clone()
    }

    /// Gives its sessions up: each is dropped where it is polled next, and now is when.
    pub(crate) fn abandon_sessions(&'static self) {
        self.abandoned.store(true, Ordering::Release);
        self.supervisor.watch_abandoned(self);
        waiting::wake_all(self);
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

    /// Has it, or a group under it, a session that has not ended?
    pub(super) fn has_sessions(&self) -> bool {
        let groups = self.groups();
        let sum = |of| self.sum(of) + groups.iter().map(|group| group.sum(of)).sum::<u64>();
        let finished = sum(Tally::finished);
        finished != sum(Tally::started)
    }

    /// What its counters come to. For what two such sums tell, see [`tally`](super::tally).
    pub(super) fn sum(&self, of: fn(&Tally) -> u64) -> u64 {
        self.lock_counters().iter().map(|counter| of(&counter.tally)).sum()
    }

    #[inline]
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    pub(super) fn add_counter(&self, counter: &'static Counter) {
        self.lock_counters().push(counter);
    }

    pub(super) fn lock_counters(&self) -> std::sync::MutexGuard<'_, Vec<&'static Counter>> {
        self.counters.lock().expect("nothing panics while it holds the list of counters")
    }

    pub(super) fn groups(&self) -> Vec<&'static Scope> {
        self.lock_groups().iter().map(|&(_, group)| group).collect()
    }

    fn lock_groups(&self) -> std::sync::MutexGuard<'_, Vec<(Duration, &'static Scope)>> {
        self.groups.lock().expect("nothing panics while it holds the list of groups")
    }

    fn lock_life(&self) -> std::sync::MutexGuard<'_, Life> {
        self.life.lock().expect("nothing panics while it holds a life")
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("owner", &self.owner).field("name", &self.name).finish_non_exhaustive()
    }
}

/// The scope of the code that calls this, if a supervisor is near.
#[inline]
pub(crate) fn current_scope() -> Option<&'static Scope> {
    match thread::current() {
        Some(counter) => Some(counter.home),
        None => root_of_current_runtime(),
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

    fn enter_on(&'static self, data_plane: Option<&'static Handle>) -> EnteredScope {
        let before = replace_belonging(Belonging { current: Some(self.body().0), data_plane });
        EnteredScope { before, not_send: std::marker::PhantomData }
    }

    /// Makes this the scope of whatever this thread, which is one of the data plane's, runs from now on.
    pub(crate) fn adopt_thread(&'static self) {
        let data_plane = self.supervisor.attach_data_plane(&Handle::current());
        replace_belonging(Belonging { current: Some(self.body().0), data_plane: Some(data_plane) });
    }
}

impl Drop for EnteredScope {
    fn drop(&mut self) {
        replace_belonging(self.before);
    }
}

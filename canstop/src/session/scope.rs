//! Scopes, and the counters of their sessions: what a session belongs to, where it is counted, and how it
//! notices a stop request.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::hub::Hub;
use super::site::Site;
use super::tagged::Tagged;
use super::tally::Tally;
use crate::machine::{Location, Owner, RunId};

/// A kind of code that is counted, or polled, under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Main,
    Service,
    Session,
    Blocking,
}

/// One thread's count of the sessions of one site that belong to one scope.
///
/// The tally has a cache line of its own, because a session that another thread polls reads the rest while this
/// thread counts. The alignment leaves bits for a [`Tagged`] reference.
///
/// Counters are never freed: what one has counted must outlast its thread.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Counter {
    pub(crate) site: &'static Site,
    /// The scope that they are counted in.
    pub(crate) scope: &'static Scope,
    /// The scope that their code belongs to.
    pub(super) home: &'static Scope,
    pub(crate) kind: Kind,
    thread: Writer,
    pub(super) tally: Tally,
}

/// The thread that writes a counter, by the address of its record. A body's counter has none: it only names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Writer(usize);

impl Writer {
    pub(super) const NONE: Self = Self(0);

    /// Records are never freed, so an address means one of them for ever.
    #[inline]
    pub(super) fn of<T>(record: &'static T) -> Self {
        Self(std::ptr::from_ref(record).addr())
    }
}

impl Counter {
    pub(super) fn leak(site: &'static Site, scope: &'static Scope, kind: Kind, thread: Writer) -> &'static Self {
        let home = scope.home();
        let counter: &'static Self = Box::leak(Box::new(Self { site, scope, home, kind, thread, tally: Tally::new() }));
        assert!(Tagged::can_refer_to(counter), "canstop uses the upper bits of addresses, and this system does, too");
        counter
    }

    /// Returns true if this thread may write its tally.
    #[inline]
    pub(super) fn is_written_by(&self, thread: Writer) -> bool {
        self.thread == thread
    }
}

/// A service, the root, or a group of sessions with a grace of their own: what sessions are counted in.
///
/// Scopes are never freed, so that a session reaches its own without a reference count.
pub(crate) struct Scope {
    pub(crate) hub: &'static Hub,
    pub(crate) owner: Owner,
    /// Of a group: the scope that it is part of, and its grace.
    group: Option<(&'static Scope, GroupGrace)>,
    /// It changes when the scope is reused for another service.
    name: Mutex<String>,
    pub(crate) location: Location,
    /// Names the body while a thread polls it.
    body: OnceLock<&'static Counter>,
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
    /// Its sessions that have less time than it, by their grace.
    groups: Mutex<Vec<(GroupGrace, &'static Scope)>>,
}

/// The grace of a group of sessions, if that is less than their home's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupGrace {
    pub(crate) grace: Duration,
    /// At its end they are cancelled, which is no failure.
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

/// What a stop request found registered. Cancelling and calling it runs user code.
pub(super) struct Registered {
    pub(super) token: CancellationToken,
    pub(super) callbacks: Vec<StopCallback>,
}

impl Scope {
    pub(super) fn new(hub: &'static Hub, owner: Owner, name: String, location: Location, run: RunId) -> Self {
        Self {
            hub,
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

    pub(crate) fn name(&self) -> String {
        self.lock_name().clone()
    }

    /// Renames the scope and its groups, for a service that reuses it.
    pub(crate) fn rename(&self, name: &str) {
        name.clone_into(&mut self.lock_name());
        self.groups().iter().for_each(|group| name.clone_into(&mut group.lock_name()));
    }

    fn lock_name(&self) -> MutexGuard<'_, String> {
        self.name.lock().expect("nothing panics while it holds the name")
    }

    /// The scope that its sessions' code belongs to: itself, unless it is a group.
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

    /// The group of its sessions with this grace. They are stopped with this scope, and what they spawn belongs
    /// to this scope.
    fn group(&'static self, grace: GroupGrace) -> &'static Scope {
        let find = |groups: &Vec<(GroupGrace, &'static Scope)>| {
            groups.iter().find(|(known, _)| *known == grace).map(|&(_, group)| group)
        };
        if let Some(group) = find(&self.lock_groups()) {
            return group;
        }
        let mut next = self.hub.lock_groups();
        let mut groups = self.lock_groups();
        // Another thread may have added it meanwhile.
        if let Some(group) = find(&groups) {
            return group;
        }
        let scope = Self::new(self.hub, Owner::Group(*next), self.name(), self.location, self.run_id());
        let group: &'static Scope = Box::leak(Box::new(Self { group: Some((self, grace)), ..scope }));
        groups.push((grace, group));
        *next += 1;
        group
    }

    /// Counts a session that is dropped because it may be cancelled.
    pub(super) fn count_if_cancelled(&self) {
        if self.group.is_some_and(|(_, grace)| grace.cancels) {
            self.hub.count_cancelled();
        }
    }

    /// The counter that names its body. Made once per scope, and never freed.
    pub(super) fn body_counter(&'static self) -> &'static Counter {
        self.body.get_or_init(|| {
            let kind = match self.owner {
                Owner::Root => Kind::Main,
                Owner::Service(_) | Owner::Group(_) => Kind::Service,
            };
            let site = Site::new(None, self.location.file, self.location.line, "", || "", None);
            Counter::leak(Box::leak(Box::new(site)), self, kind, Writer::NONE)
        })
    }

    #[inline]
    pub(crate) fn run_id(&self) -> RunId {
        RunId(self.run.load(Ordering::Relaxed))
    }

    /// Begins the next run, whose stop has not been requested.
    ///
    /// Sessions of an earlier run whose stop was not requested wait for the same token, and are stopped with
    /// this run.
    pub(crate) fn begin(&'static self, run: RunId) {
        let has_sessions = self.has_sessions();
        let before = {
            let mut current = self.lock_run();
            let mut before = mem::take(&mut *current);
            if !before.stop_requested {
                current.token = before.token.clone();
                if has_sessions {
                    current.on_stopping = mem::take(&mut before.on_stopping);
                }
            }
            self.run.store(run.0, Ordering::Relaxed);
            before
        };
        // The destructor of a callback is user code.
        if !before.on_stopping.is_empty() {
            self.hub.run_off_control(move || drop(before));
        }
    }

    /// Requests the stop of a run and of those before it, and returns what the caller must cancel and call: all
    /// of it at the first request, and nothing later.
    ///
    /// The flag is stored before anything is woken. A session that begins to wait reads the flag once it can be
    /// woken, so none misses the request.
    pub(super) fn request_stop(&self, run: RunId, until: Instant) -> Option<Registered> {
        let registered = {
            let mut current = self.lock_run();
            current.until = Some(until);
            let callbacks = mem::take(&mut current.on_stopping);
            let is_first = !mem::replace(&mut current.stop_requested, true);
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

    /// From now on a stop request wakes the body's task.
    pub(super) fn set_body_waker(&self, body: Waker) {
        let before = self.lock_run().body.replace(body);
        drop(before);
    }

    /// The body's task has ended, or has another waker.
    pub(super) fn remove_body_waker(&self, body: &Waker) {
        let removed = self.lock_run().body.take_if(|known| known.will_wake(body));
        drop(removed);
    }

    /// Returns true once the stop of this run was requested. One relaxed load: the wake orders what follows.
    #[inline]
    pub(crate) fn is_stopping(&self, run: RunId) -> bool {
        self.stop_by.load(Ordering::Relaxed) >= run.0
    }

    /// Returns true at the first call for this run.
    pub(crate) fn announces_ready(&self, run: RunId) -> bool {
        // Read first: a word that many threads write is slow, one that they read is not.
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

    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Returns true if sessions of it, or of one of its groups, were abandoned. Until those have ended it can
    /// serve no later run.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_abandoned() || self.groups().iter().any(|group| group.is_abandoned())
    }

    /// Makes it usable again, after every abandoned session has ended.
    pub(super) fn renewed(&'static self) -> &'static Self {
        self.abandoned.store(false, Ordering::Relaxed);
        self.groups().iter().for_each(|group| group.abandoned.store(false, Ordering::Relaxed));
        self
    }

    /// Returns true while it, or one of its groups, has a session that has not ended.
    pub(crate) fn has_sessions(&self) -> bool {
        self.has_any(|_| true)
    }

    /// As [`has_sessions`](Self::has_sessions), for sessions that are polled. A closure on the blocking pool is
    /// not, and cannot be woken or dropped.
    pub(super) fn has_polled_sessions(&self) -> bool {
        self.has_any(|counter| counter.kind == Kind::Session)
    }

    fn has_any(&self, counts: impl Fn(&Counter) -> bool) -> bool {
        let sum_of_one = |scope: &Scope, of: fn(&Tally) -> u64| -> u64 {
            scope.lock_counters().iter().filter(|counter| counts(counter)).map(|counter| of(&counter.tally)).sum()
        };
        let sum = |of| {
            let groups = self.groups();
            sum_of_one(self, of) + groups.iter().map(|group| sum_of_one(group, of)).sum::<u64>()
        };
        let finished = sum(Tally::finished);
        finished != sum(Tally::started)
    }

    /// The sum over its counters. See [`tally`](super::tally) for what two such sums prove.
    pub(super) fn sum(&self, of: fn(&Tally) -> u64) -> u64 {
        self.lock_counters().iter().map(|counter| of(&counter.tally)).sum()
    }

    pub(super) fn add_counter(&self, counter: &'static Counter) {
        self.lock_counters().push(counter);
        self.hub.counters_changed();
    }

    pub(super) fn lock_counters(&self) -> MutexGuard<'_, Vec<&'static Counter>> {
        self.counters.lock().expect("nothing panics while it holds the list of counters")
    }

    pub(super) fn groups(&self) -> Vec<&'static Scope> {
        self.lock_groups().iter().map(|&(_, group)| group).collect()
    }

    fn lock_groups(&self) -> MutexGuard<'_, Vec<(GroupGrace, &'static Scope)>> {
        self.groups.lock().expect("nothing panics while it holds the list of groups")
    }

    fn lock_run(&self) -> MutexGuard<'_, CurrentRun> {
        self.current.lock().expect("nothing panics while it holds the current run")
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("owner", &self.owner).field("name", &self.name()).finish_non_exhaustive()
    }
}

//! What each thread knows by itself, and what it lets others see.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;

use tokio::runtime::Handle;

use super::counter::{Counter, Kind};
use super::data_plane::OwnHandle;
use super::handshake::Handshake;
use super::origin::Birth;
#[cfg(feature = "testing")]
use super::poll_hook::{self, Polled};
use super::scope::Scope;
use super::session_state::Mark;
use super::site::Site;
use super::slots;
use super::static_ref::StaticRef;
use crate::failure::install_hook_for_sessions;

/// The part of a thread that others can see. It outlives the thread, and then serves the next one.
///
/// Only its own thread writes to it, and to the handshake whoever watches. What it polls is read for
/// reports only, by a reader that compares two looks a tick apart: so all of that is relaxed.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Thread {
    /// Its place in the list of all threads.
    number: u32,
    /// Whose thread it is, as a [`Role`].
    role: AtomicU8,
    /// What runs: a session, a body, or, between them on the data plane's threads, the edge.
    current: StaticRef<Counter>,
    /// Which session it is, as a [`Mark`].
    mark: AtomicUsize,
    /// How many polls this thread has begun. Seen twice alike, it is still the same poll.
    polls: AtomicU64,
    /// The waker of the session or body that is being polled, by its place: that poll holds it. Here and
    /// not in the thread's own part because all that a poll writes is then reached by one pointer.
    root_waker: AtomicPtr<Waker>,
    pub(super) free_slots: slots::Free,
    /// With whoever watches the sessions that it runs.
    pub(super) handshake: Handshake,
    counters: Mutex<HashMap<CounterKey, &'static Counter>>,
    /// By site: the counter that its thread used last. The next thread with this record goes on with it.
    table: Mutex<CounterTable>,
}

/// Whose thread it is, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    Unknown,
    /// A worker of the data plane, or a thread of its blocking pool.
    DataPlane,
    /// A thread of a service's own runtime.
    OwnRuntime,
}

impl Role {
    fn from_bits(bits: u8) -> Self {
        [Self::DataPlane, Self::OwnRuntime].into_iter().find(|role| *role as u8 == bits).unwrap_or(Self::Unknown)
    }
}

/// Only one thread at a time reads and writes its cells, so that they may be relaxed.
type CounterTable = &'static [StaticRef<Counter>];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CounterKey {
    site: usize,
    /// The scope's address, which names it: scopes are never freed.
    scope: usize,
    kind: Kind,
}

/// All threads that ever were at once.
struct Threads {
    all: Vec<&'static Thread>,
    /// Those that have ended, for the next ones.
    ended: Vec<&'static Thread>,
    /// Are they watched? So is the next one then.
    watched: bool,
}

static THREADS: Mutex<Threads> = Mutex::new(Threads { all: Vec::new(), ended: Vec::new(), watched: false });

fn threads() -> MutexGuard<'static, Threads> {
    THREADS.lock().expect("nothing panics while it holds the list of threads")
}

/// A thread's own part. It has no destructor, so that reaching it costs one address computation.
struct Local {
    thread: Cell<Option<&'static Thread>>,
    /// Where sessions are spawned, if this is one of the data plane's threads.
    /// `THREAD_END` owns it.
    data_plane: Cell<Option<OwnHandle>>,
    /// The table of the record. Grown by leaking, twice the size each time.
    counters: Cell<CounterTable>,
    /// The record was given back: the thread's destructors run.
    has_ended: Cell<bool>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            thread: Cell::new(None),
            data_plane: Cell::new(None),
            counters: Cell::new(&[]),
            has_ended: Cell::new(false),
        }
    };
    /// Gives the visible part and the data plane's handle back when the thread ends.
    static THREAD_END: ThreadEnd = const { ThreadEnd { data_plane: RefCell::new(None) } };
}

struct ThreadEnd {
    data_plane: RefCell<Option<Arc<Handle>>>,
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        LOCAL.with(|local| {
            local.has_ended.set(true);
            // What a later destructor spawns takes the slow way, which returns what it borrows.
            local.data_plane.set(None);
            local.give_back();
        });
    }
}

impl Local {
    fn give_back(&self) {
        self.counters.set(&[]);
        if let Some(thread) = self.thread.take() {
            thread.free_slots.give_all();
            thread.current.store(None, Ordering::Relaxed);
            thread.role.store(Role::Unknown as u8, Ordering::Relaxed);
            threads().ended.push(thread);
        }
    }

    /// Makes this the handle that the thread owns, and returns the one before. A thread that is ending
    /// owns none.
    fn own(&self, data_plane: Option<Arc<Handle>>) -> Option<Arc<Handle>> {
        let own = data_plane.as_ref().map(OwnHandle::of);
        let before = THREAD_END.try_with(|end| end.data_plane.replace(data_plane));
        self.data_plane.set(own.filter(|_| before.is_ok()));
        before.ok().flatten()
    }

    #[inline]
    fn thread(&self) -> &'static Thread {
        match self.thread.get() {
            Some(thread) => thread,
            None => take_thread(),
        }
    }

    /// A site is used with one kind only, so that need not be compared.
    #[inline]
    fn counter(&self, site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Counter {
        match self.counters.get().get(site.index()).map(|cell| cell.load(Ordering::Relaxed)) {
            Some(Some(counter)) if ptr::eq(counter.home, scope) => counter,
            _ => find_counter(site, scope, kind),
        }
    }
}

// What is rare looks the thread's own part up again, so that its address need not be at hand before.

#[cold]
fn take_thread() -> &'static Thread {
    let mut threads = threads();
    let thread = threads.ended.pop().unwrap_or_else(|| {
        let thread: &'static Thread = Box::leak(Box::new(Thread {
            number: u32::try_from(threads.all.len()).expect("fewer than four billion threads at once"),
            role: AtomicU8::new(Role::Unknown as u8),
            current: StaticRef::none(),
            mark: AtomicUsize::new(Mark::IDLE.to_bits()),
            polls: AtomicU64::new(0),
            root_waker: AtomicPtr::new(ptr::null_mut()),
            free_slots: slots::Free::new(),
            handshake: Handshake::new(threads.watched),
            counters: Mutex::new(HashMap::new()),
            table: Mutex::new(&[]),
        }));
        threads.all.push(thread);
        thread
    });
    drop(threads);
    LOCAL.with(|local| {
        local.counters.set(*thread.lock_table());
        local.thread.set(Some(thread));
    });
    // Fails only while the thread ends: see `visit`.
    let _ = THREAD_END.try_with(|_| {});
    thread
}

#[cold]
fn find_counter(site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Counter {
    install_hook_for_sessions();
    let index = site.index_or_assign();
    let thread = this_thread();
    let key = CounterKey { site: index, scope: ptr::from_ref(scope).addr(), kind };
    let counter = {
        let mut counters = thread.counters.lock().expect("nothing panics while it holds its counters");
        *counters.entry(key).or_insert_with(|| {
            let counted_in = scope.counts(site);
            let counter = Counter::leak(site, counted_in, kind, Some(thread));
            counted_in.add_counter(counter);
            counter
        })
    };
    LOCAL.with(|local| {
        let known = local.counters.get();
        if index >= known.len() {
            let mut larger: Vec<_> = known.iter().map(StaticRef::copy).collect();
            larger.resize_with((index + 1).next_power_of_two(), StaticRef::none);
            let larger: CounterTable = Vec::leak(larger);
            local.counters.set(larger);
            *thread.lock_table() = larger;
        }
        local.counters.get()[index].store(Some(counter), Ordering::Relaxed);
    });
    counter
}

/// Calls `f` with this thread's record, for what a thread may also do while its thread-locals are being
/// destroyed: by then its record belongs to the next thread, and `f` borrows one.
pub(super) fn visit<T>(f: impl FnOnce(&'static Thread) -> T) -> T {
    LOCAL.with(|local| {
        let borrows = local.has_ended.get() && local.thread.get().is_none();
        let result = f(local.thread());
        if borrows {
            local.give_back();
        }
        result
    })
}

impl Thread {
    fn lock_table(&self) -> MutexGuard<'_, CounterTable> {
        self.table.lock().expect("nothing panics while it holds a thread's table")
    }
}

/// This thread's visible part.
#[inline]
pub(super) fn this_thread() -> &'static Thread {
    LOCAL.with(Local::thread)
}

/// Says whose thread this is.
pub(super) fn set_role(role: Role) {
    this_thread().role.store(role as u8, Ordering::Relaxed);
}

/// This thread's counter.
#[inline]
pub(super) fn counter(site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Counter {
    LOCAL.with(|local| local.counter(site, scope, kind))
}

/// Lets every thread know that its sessions are watched. `barrier` is a full barrier for all of them.
pub(super) fn watch_all(barrier: impl FnOnce()) {
    let mut threads = threads();
    threads.watched = true;
    Handshake::watch_all(threads.all.iter().map(|thread| &thread.handshake), barrier);
}

/// Lets every thread know that they are watched no longer.
pub(super) fn unwatch_all() {
    let mut threads = threads();
    threads.watched = false;
    Handshake::unwatch_all(threads.all.iter().map(|thread| &thread.handshake));
}

/// Is this the own waker of the session or body that is being polled here, and is that one of this scope?
#[inline]
pub(crate) fn is_polled_directly(scope: &'static Scope, waker: &Waker) -> bool {
    LOCAL.with(|local| {
        local.thread.get().is_some_and(|thread| {
            ptr::eq(thread.root_waker.load(Ordering::Relaxed), waker)
                && thread.current.load(Ordering::Relaxed).is_some_and(|current| ptr::eq(current.home, scope))
        })
    })
}

/// What runs on this thread.
#[inline]
pub(super) fn current() -> Option<&'static Counter> {
    LOCAL.with(|local| local.thread.get()?.current.load(Ordering::Relaxed))
}

/// The data plane, if this is one of its threads.
#[inline]
pub(super) fn data_plane() -> Option<OwnHandle> {
    LOCAL.with(|local| local.data_plane.get())
}

/// Whom the code on a thread belongs to, where nothing is polled.
#[derive(Debug, Default)]
pub(super) struct Belonging {
    pub(super) current: Option<&'static Counter>,
    pub(super) data_plane: Option<Arc<Handle>>,
}

/// Sets whom this thread's code belongs to, and says whom it did.
pub(super) fn replace_belonging(belonging: Belonging) -> Belonging {
    LOCAL.with(|local| {
        let thread = local.thread();
        let current = thread.current.load(Ordering::Relaxed);
        thread.current.store(belonging.current, Ordering::Relaxed);
        // Whoever is being polled here hears of its own scope only.
        thread.root_waker.store(ptr::null_mut(), Ordering::Relaxed);
        Belonging { current, data_plane: local.own(belonging.data_plane) }
    })
}

/// While it lives, the thread polls what the counter counts, and its code belongs to that scope.
///
/// It may be nested: a poll that blocks on another runtime's session is there again when that is over.
/// Dropped while it unwinds, it says so too, or a healthy thread would look blocked for ever.
#[derive(Debug)]
pub(crate) struct Polling {
    thread: &'static Thread,
    current_before: Option<&'static Counter>,
    mark_before: usize,
}

impl Polling {
    /// `mark` says which session it is; `root_waker` is its task's, or null where that is not woken when
    /// its scope is told to stop.
    #[inline]
    pub(super) fn begin(
        thread: &'static Thread,
        counter: &'static Counter,
        mark: Mark,
        root_waker: *const Waker,
    ) -> Self {
        // Without a waker nothing is polled: a future is dropped, or blocking code begins.
        #[cfg(feature = "testing")]
        if !root_waker.is_null() {
            poll_hook::polled(Polled { kind: counter.kind, site: counter.site, home: counter.home });
        }
        let begun = Self {
            thread,
            current_before: thread.current.load(Ordering::Relaxed),
            mark_before: thread.mark.load(Ordering::Relaxed),
        };
        thread.polls.store(thread.polls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        thread.current.store(Some(counter), Ordering::Relaxed);
        thread.mark.store(mark.to_bits(), Ordering::Relaxed);
        thread.root_waker.store(root_waker.cast_mut(), Ordering::Relaxed);
        begun
    }
}

impl Drop for Polling {
    #[inline]
    fn drop(&mut self) {
        self.thread.current.store(self.current_before, Ordering::Relaxed);
        self.thread.mark.store(self.mark_before, Ordering::Relaxed);
        // Not the one before: it is looked for where a session is polled directly, and a session that
        // has run another one inside registers instead, which is as good.
        self.thread.root_waker.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

/// Is the code that calls this polled as a session or a body?
pub(super) fn polls_tracked_code() -> bool {
    Mark::from_bits(this_thread().mark.load(Ordering::Relaxed)) != Mark::IDLE
}

/// What one thread was seen polling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) thread: u32,
    pub(super) counter: &'static Counter,
    /// Alike in two looks: the same poll.
    pub(super) poll: u64,
    pub(super) mark: Mark,
    pub(super) role: Role,
    /// The task that is polled has a waker. What blocks on a thread of its own has none.
    has_waker: bool,
}

impl Seen {
    /// Returns true for the body of a blocking service: it has a thread of its own, and holds up nothing.
    pub(super) fn is_blocking_body(&self) -> bool {
        self.mark == Mark::BODY && !self.has_waker
    }
}

/// A look at every thread.
pub(super) struct Look {
    /// Those that poll something.
    pub(super) polled: Vec<Seen>,
    /// How many polls all of them have begun so far.
    pub(super) polls: u64,
}

pub(super) fn look() -> Look {
    let mut look = Look { polled: Vec::new(), polls: 0 };
    for thread in &threads().all {
        let counter = thread.current.load(Ordering::Relaxed);
        let mark = Mark::from_bits(thread.mark.load(Ordering::Relaxed));
        let poll = thread.polls.load(Ordering::Relaxed);
        let has_waker = !thread.root_waker.load(Ordering::Relaxed).is_null();
        look.polls = look.polls.wrapping_add(poll);
        if let (Some(counter), true) = (counter, mark != Mark::IDLE) {
            let role = Role::from_bits(thread.role.load(Ordering::Relaxed));
            look.polled.push(Seen { thread: thread.number, counter, poll, mark, role, has_waker });
        }
    }
    look
}

/// Marks births that are nearly forgotten in what threads poll. A thread that goes on meanwhile stores what
/// it polls next, and loses nothing.
pub(super) fn mark_forgotten(now: Birth) {
    for thread in &threads().all {
        let mark = thread.mark.load(Ordering::Relaxed);
        if let Some(forgotten) = Mark::from_bits(mark).forgotten(now) {
            let _ = thread.mark.compare_exchange(mark, forgotten.to_bits(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// Tells apart this thread's record and its table, for tests.
#[cfg(test)]
pub(super) fn record_and_table() -> (usize, usize) {
    let record = ptr::from_ref(this_thread()).addr();
    LOCAL.with(|local| (record, local.counters.get().as_ptr().addr()))
}

/// How many records there are, for tests.
#[cfg(test)]
pub(super) fn thread_count() -> usize {
    threads().all.len()
}

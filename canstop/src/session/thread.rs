//! The record of a thread: its counters, its free slots, and what it publishes about the code that it polls.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::pin;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Wake, Waker};

use tokio::runtime::Handle;

use super::data_plane::OwnHandle;
use super::handshake::Handshake;
#[cfg(feature = "testing")]
use super::poll_hook::{self, PolledCode};
use super::scope::{Counter, Kind, Scope, Writer};
use super::site::Site;
use super::slots::{self, PollTag};
use super::static_ref::StaticRef;
use super::tagged::SpawnTick;
use crate::failure::install_hook_for_sessions;

/// The part of a thread that others can read. It outlives the thread, and is then reused for another one.
///
/// Only its own thread writes to it; a watcher writes to the handshake. What it polls is read for reports only,
/// by a reader that compares two scans a tick apart: so all of that is relaxed.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Thread {
    /// Its place in the list of all threads.
    number: u32,
    /// What kind of thread it is, as a [`Role`].
    role: AtomicU8,
    /// What runs: a session, a body, or, between them on the data plane's threads, the root.
    current: StaticRef<Counter>,
    /// Which session it is, as a [`PollTag`].
    poll_tag: AtomicUsize,
    /// How many polls this thread has begun. Two equal readings mean that it is still the same poll.
    polls: AtomicU64,
    /// The address of the waker with which the session or body is polled. It is here and not in the thread's own
    /// part, so that all that a poll writes is reached by one pointer.
    root_waker: AtomicPtr<Waker>,
    /// The counter of a session whose output the runtime drops next. Atomic, for the drain.
    dropping_output: StaticRef<Counter>,
    pub(super) free_slots: slots::Free,
    /// With the watchers of its sessions.
    pub(super) handshake: Handshake,
    counters: Mutex<HashMap<CounterKey, &'static Counter>>,
    /// By site: the counter that its thread used last. The next thread with this record continues to use it.
    table: Mutex<CounterTable>,
}

/// What kind of thread it is, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Role {
    Unknown,
    /// A worker of the data plane, or a thread of its blocking pool.
    DataPlane,
    /// A thread of a service's own runtime.
    OwnRuntime,
    /// The main thread, which polls the body of `main`.
    Main,
}

impl Role {
    fn from_bits(bits: u8) -> Self {
        [Self::DataPlane, Self::OwnRuntime, Self::Main]
            .into_iter()
            .find(|role| *role as u8 == bits)
            .unwrap_or(Self::Unknown)
    }
}

/// Only one thread at a time accesses its cells, so that they may be relaxed.
type CounterTable = &'static [StaticRef<Counter>];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CounterKey {
    site: usize,
    /// The scope's address. Scopes are never freed, so it means one of them for ever.
    scope: usize,
    kind: Kind,
}

/// The records of all threads. There are as many as threads ever ran at once.
struct Threads {
    all: Vec<&'static Thread>,
    /// Those whose threads have ended.
    ended: Vec<&'static Thread>,
    /// Whether they are watched. A new one must be, too.
    watched: bool,
}

static THREADS: Mutex<Threads> = Mutex::new(Threads { all: Vec::new(), ended: Vec::new(), watched: false });

fn threads() -> MutexGuard<'static, Threads> {
    THREADS.lock().expect("nothing panics while it holds the list of threads")
}

/// A thread's own part. It has no destructor, so that reaching it costs one address computation.
struct Local {
    thread: Cell<Option<&'static Thread>>,
    /// Where sessions are spawned, if this is one of the data plane's threads. `THREAD_END` owns it.
    data_plane: Cell<Option<OwnHandle>>,
    /// The table of the record. To grow, it is leaked, and replaced by one of twice the size.
    counters: Cell<CounterTable>,
    /// The record was returned: the thread's destructors run.
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
    /// Returns the record and drops the data plane's handle when the thread ends.
    static THREAD_END: ThreadEnd = const { ThreadEnd { data_plane: RefCell::new(None) } };
}

struct ThreadEnd {
    data_plane: RefCell<Option<Arc<Handle>>>,
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        LOCAL.with(|local| {
            local.has_ended.set(true);
            // A session that a later destructor spawns takes the slow path, which borrows a record.
            local.data_plane.set(None);
            local.return_record();
        });
    }
}

impl Local {
    fn return_record(&self) {
        self.counters.set(&[]);
        if let Some(thread) = self.thread.take() {
            thread.free_slots.give_all();
            thread.current.store(None, Ordering::Relaxed);
            thread.dropping_output.store(None, Ordering::Relaxed);
            thread.role.store(Role::Unknown as u8, Ordering::Relaxed);
            threads().ended.push(thread);
        }
    }

    /// Replaces the handle that the thread owns, and returns the one before. A thread that is ending owns none.
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

    /// A site has sessions of one kind only, so the kind need not be compared.
    #[inline]
    fn counter(&self, site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Counter {
        match self.counters.get().get(site.index()).map(|cell| cell.load(Ordering::Relaxed)) {
            Some(Some(counter)) if ptr::eq(counter.home, scope) => counter,
            _ => find_counter(site, scope, kind),
        }
    }
}

// Rare paths look the thread's own part up again, so that the frequent ones need not pass its address.

#[cold]
fn take_thread() -> &'static Thread {
    let mut threads = threads();
    let thread = threads.ended.pop().unwrap_or_else(|| {
        let thread: &'static Thread = Box::leak(Box::new(Thread {
            number: u32::try_from(threads.all.len()).expect("fewer than four billion threads at once"),
            role: AtomicU8::new(Role::Unknown as u8),
            current: StaticRef::none(),
            poll_tag: AtomicUsize::new(PollTag::IDLE.to_bits()),
            polls: AtomicU64::new(0),
            root_waker: AtomicPtr::new(ptr::null_mut()),
            dropping_output: StaticRef::none(),
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
            let counter = Counter::leak(site, counted_in, kind, Writer::of(thread));
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

/// Calls `f` with this thread's record, for code that may also run while the thread-locals are being destroyed.
/// By then the record is returned and may be another thread's, so `f` borrows one.
pub(super) fn visit<T>(f: impl FnOnce(&'static Thread) -> T) -> T {
    LOCAL.with(|local| {
        let borrows = local.has_ended.get() && local.thread.get().is_none();
        let result = f(local.thread());
        if borrows {
            local.return_record();
        }
        result
    })
}

impl Thread {
    #[inline]
    pub(super) fn writer(&'static self) -> Writer {
        Writer::of(self)
    }

    /// Notes that the runtime may drop the output of a session right after the present poll, on this thread, because
    /// no handle waits for it. The session is about to count as finished, and a drain waits for that destructor.
    ///
    /// The note is removed by a waker that the scheduler defers until after the poll, as it does for `yield_now`.
    /// Where there is no scheduler, that is at once.
    #[cold]
    pub(super) fn drop_output_next(&'static self, counter: &'static Counter) {
        // Ordered before the end of the session by the release with which that is counted.
        self.dropping_output.store(Some(counter), Ordering::Relaxed);
        let deferred = Waker::from(Arc::new(OutputDropped(self)));
        let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&deferred));
    }

    fn lock_table(&self) -> MutexGuard<'_, CounterTable> {
        self.table.lock().expect("nothing panics while it holds a thread's table")
    }
}

/// Removes the note of [`Thread::drop_output_next`] when it is dropped: after its wake, or with a scheduler that ends
/// without waking it.
struct OutputDropped(&'static Thread);

impl Drop for OutputDropped {
    fn drop(&mut self) {
        // Release: a count that reads this also counts the sessions that the destructor has spawned.
        self.0.dropping_output.store(None, Ordering::Release);
    }
}

impl Wake for OutputDropped {
    fn wake(self: Arc<Self>) {}
}

/// The counters of sessions that have finished, and whose outputs are being dropped.
pub(super) fn dropping_outputs() -> Vec<&'static Counter> {
    threads().all.iter().filter_map(|thread| thread.dropping_output.load(Ordering::Acquire)).collect()
}

/// This thread's record.
#[inline]
pub(super) fn this_thread() -> &'static Thread {
    LOCAL.with(Local::thread)
}

/// Sets what kind of thread this is.
pub(super) fn set_role(role: Role) {
    this_thread().role.store(role as u8, Ordering::Relaxed);
}

/// This thread's counter.
#[inline]
pub(super) fn counter(site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Counter {
    LOCAL.with(|local| local.counter(site, scope, kind))
}

/// Tells every thread that its sessions are watched. `barrier` is a full barrier for all of them.
pub(super) fn watch_all(barrier: impl FnOnce()) {
    let mut threads = threads();
    threads.watched = true;
    Handshake::watch_all(threads.all.iter().map(|thread| &thread.handshake), barrier);
}

/// Tells every thread that its sessions are no longer watched.
pub(super) fn unwatch_all() {
    let mut threads = threads();
    threads.watched = false;
    Handshake::unwatch_all(threads.all.iter().map(|thread| &thread.handshake));
}

/// Returns true if this thread polls a session or body of this scope, and this is the waker of its own task.
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

/// The data plane's handle, if this is one of its threads.
#[inline]
pub(super) fn data_plane() -> Option<OwnHandle> {
    LOCAL.with(|local| local.data_plane.get())
}

/// What the code of a thread belongs to while it polls nothing.
#[derive(Debug, Default)]
pub(super) struct Belonging {
    pub(super) current: Option<&'static Counter>,
    pub(super) data_plane: Option<Arc<Handle>>,
}

/// Sets what this thread's code belongs to, and returns the value before.
pub(super) fn replace_belonging(belonging: Belonging) -> Belonging {
    LOCAL.with(|local| {
        let thread = local.thread();
        let current = thread.current.load(Ordering::Relaxed);
        thread.current.store(belonging.current, Ordering::Relaxed);
        // A stop request wakes the session that is polled here for its own scope only.
        thread.root_waker.store(ptr::null_mut(), Ordering::Relaxed);
        Belonging { current, data_plane: local.own(belonging.data_plane) }
    })
}

/// While it exists, the thread polls a session or body of the counter, and its code belongs to that scope.
///
/// It may be nested: where a poll blocks on another runtime's session, the outer poll is restored after it. It is
/// also restored by an unwind, or a healthy thread would look blocked for ever.
#[derive(Debug)]
pub(crate) struct Polling {
    thread: &'static Thread,
    current_before: Option<&'static Counter>,
    tag_before: usize,
}

impl Polling {
    /// `root_waker` is that of the session's or body's task, or null where a stop request does not wake it.
    #[inline]
    pub(super) fn begin(
        thread: &'static Thread,
        counter: &'static Counter,
        tag: PollTag,
        root_waker: *const Waker,
    ) -> Self {
        // Without a waker nothing is polled: a future is dropped, or blocking code begins.
        #[cfg(feature = "testing")]
        if !root_waker.is_null() {
            poll_hook::polled(PolledCode { kind: counter.kind, site: counter.site, home: counter.home });
        }
        let begun = Self {
            thread,
            current_before: thread.current.load(Ordering::Relaxed),
            tag_before: thread.poll_tag.load(Ordering::Relaxed),
        };
        thread.polls.store(thread.polls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        thread.current.store(Some(counter), Ordering::Relaxed);
        thread.poll_tag.store(tag.to_bits(), Ordering::Relaxed);
        thread.root_waker.store(root_waker.cast_mut(), Ordering::Relaxed);
        begun
    }
}

impl Drop for Polling {
    #[inline]
    fn drop(&mut self) {
        self.thread.current.store(self.current_before, Ordering::Relaxed);
        self.thread.poll_tag.store(self.tag_before, Ordering::Relaxed);
        // Not the one before: an outer session that is polled on does not find its waker here, and registers
        // instead, which is slower and as good.
        self.thread.root_waker.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

/// Returns true if the calling code is polled as a session or a body.
pub(super) fn polls_tracked_code() -> bool {
    PollTag::from_bits(this_thread().poll_tag.load(Ordering::Relaxed)) != PollTag::IDLE
}

/// What one thread polls.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThreadPoll {
    pub(super) thread: u32,
    pub(super) counter: &'static Counter,
    /// Equal in two scans: the same poll.
    pub(super) poll: u64,
    pub(super) tag: PollTag,
    pub(super) role: Role,
    /// The polled task has a waker. A closure or a body on a thread of its own has none.
    has_waker: bool,
}

impl ThreadPoll {
    /// Returns true for the body of a blocking service: it has a thread of its own, and holds up nothing.
    pub(super) fn is_blocking_body(&self) -> bool {
        self.tag == PollTag::BODY && !self.has_waker
    }
}

/// A scan of all threads.
pub(super) struct Scan {
    /// What they poll.
    pub(super) polled: Vec<ThreadPoll>,
    /// How many polls all of them have begun so far.
    pub(super) polls: u64,
    /// A thread has entered that is neither the data plane's nor the main thread: nothing shows when it wakes up.
    pub(super) has_other_threads: bool,
}

pub(super) fn scan() -> Scan {
    let mut scan = Scan { polled: Vec::new(), polls: 0, has_other_threads: false };
    for thread in &threads().all {
        let counter = thread.current.load(Ordering::Relaxed);
        let tag = PollTag::from_bits(thread.poll_tag.load(Ordering::Relaxed));
        let poll = thread.polls.load(Ordering::Relaxed);
        let has_waker = !thread.root_waker.load(Ordering::Relaxed).is_null();
        let role = Role::from_bits(thread.role.load(Ordering::Relaxed));
        scan.polls = scan.polls.wrapping_add(poll);
        scan.has_other_threads |= counter.is_some() && !matches!(role, Role::DataPlane | Role::Main);
        if let (Some(counter), true) = (counter, tag != PollTag::IDLE) {
            scan.polled.push(ThreadPoll { thread: thread.number, counter, poll, tag, role, has_waker });
        }
    }
    scan
}

/// Saturates spawn ticks that are about to wrap around in what threads publish. A thread that begins another poll
/// meanwhile publishes that, and loses nothing.
pub(super) fn saturate_ticks(now: SpawnTick) {
    for thread in &threads().all {
        let tag = thread.poll_tag.load(Ordering::Relaxed);
        if let Some(saturated) = PollTag::from_bits(tag).saturated(now) {
            let _ = thread.poll_tag.compare_exchange(tag, saturated.to_bits(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// The addresses of this thread's record and table.
#[cfg(test)]
pub(super) fn record_and_table() -> (usize, usize) {
    let record = ptr::from_ref(this_thread()).addr();
    LOCAL.with(|local| (record, local.counters.get().as_ptr().addr()))
}

/// How many records there are.
#[cfg(test)]
pub(super) fn thread_count() -> usize {
    threads().all.len()
}

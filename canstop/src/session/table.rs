//! The table of waiting sessions: entering and leaving it, and waking what is in it.
//!
//! A session enters when a poll of it first returns pending, and leaves when it ends. So a session that never
//! waits pays nothing, and all that wait can be woken for a stop, named with their age, or abandoned, whatever
//! they wait for.
//!
//! Entering and leaving are a few plain stores. A slot holds the session's task as the runtime's waker points at
//! it, without a reference count, because the session leaves its slot before the task can be freed. A wake must
//! therefore keep it from leaving. Sessions leave all the time, and are woken from here once in a program. So
//! while nothing watches, a session leaves by a plain store; while something watches, it leaves under a lock,
//! which a wake holds. The change from one to the other is the [`handshake`](super::handshake).

use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once};
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::time::Instant;

use tokio::runtime::Handle;

use super::handshake::Handshake;
use super::membarrier;
use super::scope::{Counter, Scope};
use super::slots::{self, Slot};
use super::static_ref::StaticRef;
use super::tagged::{SpawnTick, Tagged};
use super::thread::{self, Thread};

/// The vtable of the wakers of all tokio tasks.
static TASK_VTABLE: StaticRef<RawWakerVTable> = StaticRef::none();

/// Enters a session, on this thread, by its own task's waker. Afterwards the caller must check again whether the
/// session's stop was requested: the wake may have come just before.
///
/// # Panics
///
/// If the waker is not a tokio task's: sessions are always spawned as tasks.
#[inline]
pub(super) fn enter(waker: &Waker, tagged: Tagged<Counter>, thread: &Thread) -> &'static Slot {
    if !TASK_VTABLE.is(waker.vtable()) {
        learn_vtable(waker);
    }
    let slot = thread.free_slots.take();
    slot.tagged.store(tagged);
    // Release: a thread that reads the task also reads its counter.
    slot.task.store(waker.data().cast_mut(), Ordering::Release);
    slot
}

#[cold]
fn learn_vtable(waker: &Waker) {
    let known = TASK_VTABLE.load(Ordering::Relaxed);
    let fits = known.is_none_or(|known| ptr::eq(known, waker.vtable()));
    assert!(fits, "a session is polled by its own task only");
    TASK_VTABLE.store(Some(waker.vtable()), Ordering::Relaxed);
}

/// Removes a session, on this thread, and returns whether it is watched. Its task is not freed before this
/// returns.
#[inline]
pub(super) fn leave(slot: &'static Slot, thread: &Thread) -> bool {
    let is_watched = thread.handshake.clear(|| clear(slot), || clear_carefully(slot));
    thread.free_slots.give_back(slot);
    is_watched
}

/// Relaxed: the handshake, or the gate, orders what must not be reordered with it.
#[inline]
fn clear(slot: &Slot) {
    slot.task.store(ptr::null_mut(), Ordering::Relaxed);
}

#[cold]
fn clear_carefully(slot: &'static Slot) {
    let _gate = hold(slot);
    clear(slot);
}

/// Held by a session that leaves while it is watched, and by a wake, for the batch of the slot.
static GATES: [Gate; 64] = [const { Gate(Mutex::new(())) }; 64];

#[repr(align(64))]
struct Gate(Mutex<()>);

/// Keeps the sessions in this slot's batch from leaving, while they are watched.
fn hold(slot: &'static Slot) -> MutexGuard<'static, ()> {
    let Gate(gate) = &GATES[slots::batch_of(slot) % GATES.len()];
    gate.lock().expect("nothing panics while a session leaves or is woken")
}

/// The counter of the session that holds this slot.
#[inline]
pub(super) fn counter(slot: &'static Slot) -> &'static Counter {
    slot.tagged.load().expect("a session stores its counter when it enters its slot").get()
}

/// The task and the counter of the session in this slot.
fn entered(slot: &Slot) -> Option<(NonNull<()>, Tagged<Counter>)> {
    // Acquire, with the release in `enter`.
    let task = NonNull::new(slot.task.load(Ordering::Acquire))?;
    Some((task, slot.tagged.load()?))
}

/// Calls `found` for every waiting session, except for those that enter or leave meanwhile. Stops at `until`, and
/// returns whether it has scanned the whole table.
pub(super) fn for_each(until: Instant, mut found: impl FnMut(Tagged<Counter>)) -> bool {
    slots::batches().into_iter().all(|batch| {
        batch.iter().filter_map(entered).for_each(|(_, tagged)| found(tagged));
        Instant::now() < until
    })
}

/// Saturates spawn ticks that are about to wrap around.
pub(super) fn saturate_ticks(now: SpawnTick) {
    for slot in slots::batches().into_iter().flatten() {
        slot.tagged.saturate(now);
    }
}

/// How many watch.
static WATCHERS: Mutex<usize> = Mutex::new(0);

/// Begins to watch sessions. When it returns, every session that ends leaves under a lock and reports it.
pub(crate) fn watch_sessions() {
    let mut watchers = lock_watchers();
    if *watchers == 0 {
        let mut is_refused = false;
        thread::watch_all(|| is_refused = !membarrier::for_all_threads());
        // One more watcher for ever: no later change depends on a call that is refused.
        *watchers += usize::from(is_refused);
    }
    *watchers += 1;
}

/// Reverts one [`watch_sessions`].
pub(crate) fn stop_watching_sessions() {
    let mut watchers = lock_watchers();
    *watchers -= 1;
    if *watchers == 0 {
        thread::unwatch_all();
    }
}

fn lock_watchers() -> MutexGuard<'static, usize> {
    WATCHERS.lock().expect("nothing panics while it counts watchers")
}

/// Prepares the barrier of [`watch_sessions`], before there is a session. Where there is none, sessions are
/// watched for ever.
pub(super) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        if !membarrier::register() {
            watch_sessions();
        }
    });
}

/// While it exists, sessions are watched.
#[derive(Debug)]
pub(super) struct Watching(());

impl Watching {
    pub(super) fn on() -> Self {
        watch_sessions();
        Self(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        stop_watching_sessions();
    }
}

/// A smaller table is scanned at once, and not by tasks.
const BATCHES_AT_ONCE: usize = 4;

/// How many batches the control thread scans in one turn, which takes some hundred microseconds.
const BATCHES_PER_TURN: usize = 4;

/// Wakes the sessions of scopes, in passes over the table. Sessions must be watched by then.
///
/// There is one pass at a time. It wakes for all scopes that were requested before it began, so that many
/// requests need few passes. Several tasks on the data plane share a pass: a worker that wakes a session puts it
/// into its own queue, and takes it from there without a lock. Where these tasks get no turn, because every
/// worker is blocked, the control plane scans instead, a few batches in each of its turns: it wakes the sessions
/// of other runtimes.
#[derive(Debug, Default)]
pub(super) struct Wakings(Mutex<Passes>);

#[derive(Debug, Default)]
struct Passes {
    /// The scopes of the next pass.
    requested: Vec<&'static Scope>,
    /// The present pass, and how many of its batches were begun at the last turn.
    present: Option<(Arc<Pass>, usize)>,
}

impl Wakings {
    fn lock(&self) -> MutexGuard<'_, Passes> {
        self.0.lock().expect("nothing panics while it wakes sessions")
    }

    /// Wakes every waiting session of this scope and of its groups, soon. Stop flags that the caller has stored
    /// are visible to every session that this does not wake.
    pub(super) fn request(&self, scope: &'static Scope, data_plane: Option<&Handle>) {
        Handshake::order_before_scan();
        // After the fence: a session that is not counted here by now reads the flag before it waits.
        if !scope.has_polled_sessions() {
            return;
        }
        let mut passes = self.lock();
        passes.requested.push(scope);
        if passes.present.is_none() {
            passes.begin(data_plane);
        }
    }

    /// Begins the next pass if one is requested, and continues a pass that no task has continued since the last
    /// call. The control plane calls this in each of its turns.
    pub(super) fn proceed(&self, data_plane: Option<&Handle>) {
        let mut passes = self.lock();
        if let Some((pass, begun_before)) = &mut passes.present {
            if pass.begun() == *begun_before {
                (0..BATCHES_PER_TURN).all(|_| pass.wake_next());
            }
            *begun_before = pass.begun();
            if *begun_before < pass.batches.len() {
                return;
            }
            passes.present = None;
        }
        if !passes.requested.is_empty() {
            passes.begin(data_plane);
        }
    }

    /// Returns true if everything that was requested is woken.
    #[cfg(test)]
    pub(super) fn is_done(&self) -> bool {
        let passes = self.lock();
        passes.present.is_none() && passes.requested.is_empty()
    }
}

impl Passes {
    fn begin(&mut self, data_plane: Option<&Handle>) {
        let pass = Pass::new(std::mem::take(&mut self.requested));
        match data_plane {
            Some(data_plane) if pass.batches.len() > BATCHES_AT_ONCE => {
                let pass = Arc::new(pass);
                let tasks = (data_plane.metrics().num_workers().max(1) * 4).min(pass.batches.len());
                for _ in 0..tasks {
                    let pass = Arc::clone(&pass);
                    data_plane.spawn(async move {
                        while pass.wake_next() {
                            // Other tasks need to run, above all those that were just woken.
                            tokio::task::yield_now().await;
                        }
                    });
                }
                self.present = Some((pass, 0));
            }
            _ => while pass.wake_next() {},
        }
    }
}

/// One pass over the table, shared by all tasks that take part in it.
#[derive(Debug)]
struct Pass {
    /// The addresses of the scopes, sorted.
    scopes: Vec<usize>,
    batches: Vec<&'static [Slot]>,
    /// How many batches were begun, plus how often there was none left.
    begun: AtomicUsize,
    finished: AtomicUsize,
    /// Until every batch is finished: other watchers may stop before.
    watching: Mutex<Option<Watching>>,
}

impl Pass {
    fn new(scopes: Vec<&'static Scope>) -> Self {
        let mut scopes: Vec<_> = scopes.into_iter().map(address).collect();
        scopes.sort_unstable();
        Self {
            scopes,
            batches: slots::batches(),
            begun: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            watching: Mutex::new(Some(Watching::on())),
        }
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// Wakes the sessions of one more batch. Returns false if there is none.
    fn wake_next(&self) -> bool {
        let Some(batch) = self.batches.get(self.begun.fetch_add(1, Ordering::Relaxed)) else { return false };
        self.wake_batch(batch);
        // Release and acquire: the last one stops watching after all have finished.
        if self.finished.fetch_add(1, Ordering::AcqRel) + 1 == self.batches.len() {
            let watching = self.watching.lock().expect("nothing panics while it holds the watching").take();
            drop(watching);
        }
        true
    }

    fn is_meant(&self, counter: &Counter) -> bool {
        [counter.scope, counter.home].into_iter().any(|scope| self.scopes.binary_search(&address(scope)).is_ok())
    }

    #[expect(unsafe_code, reason = "a slot holds a task without a reference count")]
    fn wake_batch(&self, batch: &'static [Slot]) {
        let (Some(vtable), Some(first)) = (TASK_VTABLE.load(Ordering::Relaxed), batch.first()) else { return };
        let _gate = hold(first);
        for slot in batch {
            let Some((task, tagged)) = entered(slot) else { continue };
            if self.is_meant(tagged.get()) {
                // SAFETY: the pointer and the vtable are those of the waker with which the session was
                // polled. The session is in its slot, and sessions are watched, so it cannot leave while
                // `_gate` is held; its task is not freed before it has. The waker's reference is neither
                // taken nor dropped: it is only woken by reference.
                let waker = ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(task.as_ptr(), vtable)) });
                waker.wake_by_ref();
            }
        }
    }
}

fn address(scope: &Scope) -> usize {
    ptr::from_ref(scope).addr()
}

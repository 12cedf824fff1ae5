//! The table of sessions that wait: who they are, since when, and how to wake them.
//!
//! A session enters it when its poll first returns pending, and leaves it when it ends. So one that
//! never waits pays nothing, and all that wait can be told to stop, be named with their age, or be
//! given up, whatever they wait for.
//!
//! Entering and leaving are a few plain stores. A slot holds the session's task as the runtime's
//! waker points at it, without a reference count: the slot is left before the task can be freed. So
//! whoever wants to wake a session must make sure that it does not leave meanwhile, see [`leaving`].
//! Free slots are kept by the threads ([`slots`]), and change hands in batches.

use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::counter::Counter;
use super::leaving::{self, Watching};
use super::origin::{Birth, Origin};
use super::scope::Scope;
use super::slots::{self, Slot};
use super::static_ref::StaticRef;
use super::supervisor::Supervisor;
use super::thread::Thread;

/// What the wakers of all tokio tasks are made of.
static TASK_VTABLE: StaticRef<RawWakerVTable> = StaticRef::none();

/// Enters a session, on this thread, by its own task's waker. Whoever does so must look again,
/// afterwards, at whether it was told to stop: the wake may have come just before.
///
/// # Panics
///
/// If the waker is not a tokio task's: sessions are always spawned as tasks.
#[inline]
pub(super) fn enter(waker: &Waker, origin: Origin, thread: &Thread) -> &'static Slot {
    if !TASK_VTABLE.is(waker.vtable()) {
        learn_vtable(waker);
    }
    let slot = thread.free_slots.take();
    slot.origin.store(origin);
    // Release: whoever finds the task finds where it comes from.
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

/// Takes a session out, on this thread, and says whether somebody watches. Its task is not freed before
/// this returns.
#[inline]
pub(super) fn leave(slot: &'static Slot, thread: &Thread) -> bool {
    let is_watched = leaving::leave(slot, thread);
    thread.free_slots.give_back(slot);
    is_watched
}

/// The counter of the session that holds this slot.
#[inline]
pub(super) fn counter(slot: &'static Slot) -> &'static Counter {
    slot.origin.load().expect("whoever holds a slot has said where it comes from").counter()
}

/// The session that stands in this slot: its task, and where it comes from.
fn found_in(slot: &Slot) -> Option<(NonNull<()>, Origin)> {
    // Acquire, with the release in `enter`.
    let task = NonNull::new(slot.task.load(Ordering::Acquire))?;
    Some((task, slot.origin.load()?))
}

/// Calls `found` for every session that waits, as far as they can be seen: some may just leave.
pub(super) fn for_each(found: impl FnMut(Origin)) {
    slots::batches().into_iter().flatten().filter_map(found_in).map(|(_, origin)| origin).for_each(found);
}

/// Marks births that are nearly forgotten.
pub(super) fn mark_forgotten(now: Birth) {
    for slot in slots::batches().into_iter().flatten() {
        slot.origin.mark_forgotten(now);
    }
}

/// Fewer batches than this are not worth a task.
const BATCHES_PER_TASK: usize = 4;

/// As many batches as the control thread wakes in one turn, some hundred microseconds.
const BATCHES_PER_TURN: usize = 4;

/// Wakes every session that waits and belongs to this scope, or to a group under it.
///
/// Many are woken by several tasks on the data plane: a worker that wakes puts the woken into its
/// own queue, where it finds them without a lock. Where these tasks get no turn, because every worker is
/// blocked, [`continue_waking`](Supervisor::continue_waking) wakes those that other runtimes run. Sessions
/// must be watched by then: see [`leaving`].
pub(super) fn wake_all(scope: &'static Scope) {
    leaving::say_before_looking();
    let batches = slots::batches();
    match scope.supervisor.data_plane() {
        Some(data_plane) if batches.len() > BATCHES_PER_TASK => {
            let tasks = (data_plane.metrics().num_workers().max(1) * 4).min(batches.len());
            let waking = Arc::new(Waking::new(scope, batches));
            for _ in 0..tasks {
                let waking = Arc::clone(&waking);
                data_plane.spawn(async move {
                    while waking.wake_next() {
                        // Others want to run too, those that were woken first of all.
                        tokio::task::yield_now().await;
                    }
                });
            }
            scope.supervisor.wakings().push((waking, 0));
        }
        _ => batches.into_iter().for_each(|batch| wake_batch(scope, batch)),
    }
}

/// The waking of many sessions, shared by all that take part in it.
#[derive(Debug)]
pub(super) struct Waking {
    scope: &'static Scope,
    batches: Vec<&'static [Slot]>,
    /// How many batches were begun, and how many more were asked for in vain.
    begun: AtomicUsize,
    finished: AtomicUsize,
    /// Until every batch is finished: whatever let the sessions be watched may be content before.
    watching: Mutex<Option<Watching>>,
}

impl Waking {
    fn new(scope: &'static Scope, batches: Vec<&'static [Slot]>) -> Self {
        let (begun, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { scope, batches, begun, finished, watching: Mutex::new(Some(Watching::on())) }
    }

    /// Wakes the sessions of one more batch. Returns false if there is none.
    fn wake_next(&self) -> bool {
        let Some(batch) = self.batches.get(self.begun.fetch_add(1, Ordering::Relaxed)) else { return false };
        wake_batch(self.scope, batch);
        // Release and acquire: the last one stops watching after all have finished.
        if self.finished.fetch_add(1, Ordering::AcqRel) + 1 == self.batches.len() {
            let watching = self.watching.lock().expect("nothing panics while it holds the watching").take();
            drop(watching);
        }
        true
    }
}

impl Supervisor {
    /// Wakes some more sessions, if nothing else has since the last call. Called by the control plane in
    /// each of its turns.
    pub(crate) fn continue_waking(&self) {
        self.wakings().retain_mut(|(waking, begun_before)| {
            let begun = waking.begun.load(Ordering::Relaxed);
            if begun == *begun_before {
                (0..BATCHES_PER_TURN).all(|_| waking.wake_next());
            }
            *begun_before = waking.begun.load(Ordering::Relaxed);
            *begun_before < waking.batches.len()
        });
    }
}

#[expect(unsafe_code, reason = "a slot holds a task without a reference count")]
fn wake_batch(scope: &'static Scope, batch: &'static [Slot]) {
    let (Some(vtable), Some(first)) = (TASK_VTABLE.load(Ordering::Relaxed), batch.first()) else { return };
    let _nobody_leaves = leaving::hold(first);
    for slot in batch {
        let Some((task, origin)) = found_in(slot) else { continue };
        let counter = origin.counter();
        if ptr::eq(counter.scope, scope) || ptr::eq(counter.home, scope) {
            // SAFETY: the pointer and the table are those of the waker with which the session was
            // polled. The session has not left its slot, and cannot while `_nobody_leaves` is held;
            // its task lives until it has. The reference that a waker owns is neither taken nor
            // given back: it is only woken by reference.
            let waker = ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(task.as_ptr(), vtable)) });
            waker.wake_by_ref();
        }
    }
}

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
use std::sync::atomic::Ordering;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::counter::Counter;
use super::leaving::{self, Watching};
use super::origin::Origin;
use super::scope::Scope;
use super::slots::{self, Slot};
use super::static_ref::StaticRef;
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

/// Fewer batches than this are not worth a task.
const BATCHES_PER_TASK: usize = 4;

/// Wakes every session that waits and belongs to this scope, or to a group under it.
///
/// Many are woken by several tasks on the data plane: a worker that wakes puts the woken into its
/// own queue, where it finds them without a lock. Sessions must be watched by then: see [`leaving`].
pub(crate) fn wake_all(scope: &'static Scope) {
    leaving::say_before_looking();
    let batches = slots::batches();
    match scope.supervisor.data_plane() {
        Some(data_plane) if batches.len() > BATCHES_PER_TASK => {
            let tasks = data_plane.metrics().num_workers().max(1) * 4;
            for part in batches.chunks(batches.len().div_ceil(tasks)) {
                let part = part.to_vec();
                // Whoever let them be watched may be content before all are woken.
                let watching = Watching::on();
                data_plane.spawn(async move {
                    let _watching = watching;
                    for batch in part {
                        wake_batch(scope, batch);
                        // Others want to run too, those that were woken first of all.
                        tokio::task::yield_now().await;
                    }
                });
            }
        }
        _ => batches.into_iter().for_each(|batch| wake_batch(scope, batch)),
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

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
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::counter::{Counter, Counters};
use super::leaving::{self, Watching};
use super::scope::Scope;
use super::slots::{self, Slot};
use super::thread::Mark;

/// What every waker of a tokio task is made of.
static TASK_VTABLE: OnceLock<&'static RawWakerVTable> = OnceLock::new();

/// Enters a session, by its own task's waker. Whoever does so must look again, afterwards, at
/// whether it was told to stop: the wake may have come just before.
///
/// # Panics
///
/// If the waker is not a tokio task's: sessions are always spawned as tasks.
#[inline]
pub(super) fn enter(waker: &Waker, counter: &'static Counter, born: Mark) -> &'static Slot {
    let vtable = TASK_VTABLE.get_or_init(|| waker.vtable());
    assert!(ptr::eq(*vtable, waker.vtable()), "a session is polled by its own task only");
    let slot = slots::take();
    slot.about.store(u64::from(counter.id) << 32 | u64::from(born.to_bits()), Ordering::Relaxed);
    // Release: whoever finds the task finds what it is about.
    slot.task.store(waker.data().cast_mut(), Ordering::Release);
    slot
}

/// Takes a session out. Its task is not freed before this returns.
#[inline]
pub(super) fn leave(slot: &'static Slot) {
    leaving::leave(slot);
    slots::give_back(slot);
}

/// What a slot says of its session.
pub(super) struct Entry {
    pub(super) counter: &'static Counter,
    pub(super) born: Mark,
}

impl Entry {
    fn of(slot: &Slot, counters: &Counters) -> Option<Self> {
        if slot.task.load(Ordering::Acquire).is_null() {
            return None;
        }
        let about = slot.about.load(Ordering::Relaxed);
        Some(Self { counter: counters.by_id((about >> 32) as u32)?, born: Mark::from_bits(about as u32) })
    }
}

/// Calls `found` for every session that waits, as far as they can be seen: some may just leave.
pub(super) fn for_each(mut found: impl FnMut(&Entry)) {
    let counters = Counter::all();
    for slot in slots::batches().into_iter().flatten() {
        if let Some(entry) = Entry::of(slot, &counters) {
            found(&entry);
        }
    }
}

/// Fewer batches than this are not worth a task.
const BATCHES_PER_TASK: usize = 16;

/// Wakes every session that waits and belongs to this scope, or to a group under it.
///
/// Many are woken by several tasks on the data plane: a worker that wakes puts the woken into its
/// own queue, where it finds them without a lock. Sessions must be watched by then: see [`leaving`].
pub(crate) fn wake_all(scope: &'static Scope) {
    let batches = slots::batches();
    // Whoever enters from now on looks for itself, so no later counter is missed.
    let counters = Arc::new(Counter::all());
    match scope.supervisor.data_plane() {
        Some(data_plane) if batches.len() > BATCHES_PER_TASK => {
            let tasks = data_plane.metrics().num_workers().max(1) * 4;
            for part in batches.chunks(batches.len().div_ceil(tasks)) {
                let (part, counters) = (part.to_vec(), Arc::clone(&counters));
                // Whoever let them be watched may be content before all are woken.
                let watching = Watching::on();
                data_plane.spawn(async move {
                    let _watching = watching;
                    for batch in part {
                        wake_batch(scope, batch, &counters);
                        // Others want to run too, those that were woken first of all.
                        tokio::task::yield_now().await;
                    }
                });
            }
        }
        _ => batches.into_iter().for_each(|batch| wake_batch(scope, batch, &counters)),
    }
}

#[expect(unsafe_code, reason = "a slot holds a task without a reference count")]
fn wake_batch(scope: &'static Scope, batch: &'static [Slot], counters: &Counters) {
    let (Some(vtable), Some(first)) = (TASK_VTABLE.get(), batch.first()) else { return };
    let _nobody_leaves = leaving::hold(first);
    for slot in batch {
        let Some(Entry { counter, .. }) = Entry::of(slot, counters) else { continue };
        if !ptr::eq(counter.scope, scope) && !ptr::eq(counter.home, scope) {
            continue;
        }
        let task = slot.task.load(Ordering::Acquire);
        if !task.is_null() {
            // SAFETY: the pointer and the table are those of the waker with which the session was
            // polled. The session has not left its slot, and cannot while `_nobody_leaves` is held;
            // its task lives until it has. The reference that a waker owns is neither taken nor
            // given back: it is only woken by reference.
            let waker = ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(task, vtable)) });
            waker.wake_by_ref();
        }
    }
}

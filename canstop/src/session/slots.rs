//! Slots of the table of those that wait, handed out without a lock.
//!
//! Each thread keeps a small stack of free slots. A thread whose stack is full gives half of it to
//! all, and one that has none takes as many or makes new ones. Slots are never freed: there are as
//! many as there ever were sessions that waited at once.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize};
use std::sync::{Mutex, MutexGuard};

use super::counter::Counter;
use super::static_ref::StaticRef;

/// A place for one session.
#[derive(Debug)]
pub(super) struct Slot {
    /// The task, as its waker points at it; null in a free slot.
    pub(super) task: AtomicPtr<()>,
    pub(super) counter: StaticRef<Counter>,
    /// When the session was born.
    pub(super) born: AtomicUsize,
}

/// How many are made at once.
const BATCH: usize = 682;

/// A batch of slots, alone in its sixteen kilobytes: so the upper bits of a slot's address tell the
/// batches apart.
#[repr(align(16384))]
struct Batch([Slot; BATCH]);
const BATCH_BITS: u32 = 14;
const _: () = assert!(size_of::<usize>() < 8 || size_of::<Batch>() == 1 << BATCH_BITS);

/// What belongs to no thread.
struct Common {
    /// Every slot there is.
    all: Vec<&'static Batch>,
    free: Vec<&'static Slot>,
}

static COMMON: Mutex<Common> = Mutex::new(Common { all: Vec::new(), free: Vec::new() });

fn common() -> MutexGuard<'static, Common> {
    COMMON.lock().expect("nothing panics while it holds the free slots")
}

/// How many slots a thread keeps at most. Half of them change hands at once.
const KEPT: usize = 128;

/// A thread's stack of free slots.
struct Free {
    len: Cell<usize>,
    /// Those below `len` are there.
    stack: [Cell<Option<&'static Slot>>; KEPT],
}

thread_local! {
    static FREE: Free = const { Free { len: Cell::new(0), stack: [const { Cell::new(None) }; KEPT] } };
}

/// Takes a free slot.
#[inline]
pub(super) fn take() -> &'static Slot {
    FREE.with(|free| match free.pop() {
        Some(slot) => slot,
        None => refill(),
    })
}

/// Gives a slot back, to whatever thread this is.
#[inline]
pub(super) fn give_back(slot: &'static Slot) {
    FREE.with(|free| {
        let len = free.len.get();
        match free.stack.get(len) {
            Some(place) => {
                place.set(Some(slot));
                free.len.set(len + 1);
            }
            None => share(slot),
        }
    });
}

/// Gives everything that the thread keeps to all, before it ends.
pub(super) fn give_back_all() {
    FREE.with(|free| common().free.extend(std::iter::from_fn(|| free.pop())));
}

impl Free {
    #[inline]
    fn pop(&self) -> Option<&'static Slot> {
        let below = self.len.get().wrapping_sub(1);
        let slot = self.stack.get(below)?.get();
        self.len.set(below);
        slot
    }
}

#[cold]
fn refill() -> &'static Slot {
    let mut common = common();
    if common.free.is_empty() {
        let new =
            || Slot { task: AtomicPtr::new(ptr::null_mut()), counter: StaticRef::none(), born: AtomicUsize::new(0) };
        let batch: &'static Batch = Box::leak(Box::new(Batch(std::array::from_fn(|_| new()))));
        common.all.push(batch);
        common.free.extend(&batch.0);
    }
    let rest = common.free.len().saturating_sub(KEPT / 2);
    FREE.with(|free| {
        for (place, slot) in free.stack.iter().zip(common.free.drain(rest..)) {
            place.set(Some(slot));
            free.len.update(|len| len + 1);
        }
        free.pop().expect("there was at least one")
    })
}

/// Gives the upper half of a full stack away, and keeps the lower one and this slot.
#[cold]
fn share(slot: &'static Slot) {
    FREE.with(|free| {
        common().free.extend(free.stack[KEPT / 2..].iter().filter_map(Cell::get));
        free.stack[KEPT / 2].set(Some(slot));
        free.len.set(KEPT / 2 + 1);
    });
}

/// Which batch it is in, as a number that means nothing else.
#[inline]
pub(super) fn batch_of(slot: &'static Slot) -> usize {
    ptr::from_ref(slot).addr() >> BATCH_BITS
}

/// Every slot there is, by batches.
pub(super) fn batches() -> Vec<&'static [Slot]> {
    common().all.iter().map(|batch| &batch.0[..]).collect()
}

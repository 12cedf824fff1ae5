//! Slots of the table of those that wait, handed out without a lock.
//!
//! Each thread keeps a stack of free slots. A thread whose stack is full gives half of it to all, and one
//! that has none takes as many or makes new ones. Slots are never freed: there are about as many as there
//! ever were sessions that waited at once.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::origin::SharedOrigin;
use super::static_ref::StaticRef;

/// A place for one session. It is all that one costs beside its task while it waits.
#[derive(Debug)]
pub(super) struct Slot {
    /// The task, as its waker points at it; null in a free slot.
    pub(super) task: AtomicPtr<()>,
    /// Where the session comes from.
    pub(super) origin: SharedOrigin,
}

impl Slot {
    const fn new() -> Self {
        Self { task: AtomicPtr::new(ptr::null_mut()), origin: SharedOrigin::none() }
    }
}

/// How many are made at once.
const BATCH: usize = 1_024;

/// A batch of slots, alone in its sixteen kilobytes: so the upper bits of a slot's address tell the
/// batches apart.
#[repr(align(16384))]
struct Batch([Slot; BATCH]);
const BATCH_BITS: u32 = 14;
const _: () = assert!(size_of::<Batch>() == 1 << BATCH_BITS);

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

/// How many free slots a thread keeps at most. Half of them change hands at once.
const KEPT: usize = 1_024;

/// A thread's stack of free slots. Only that thread uses it, so all of it is relaxed.
#[derive(Debug)]
pub(super) struct Free {
    height: AtomicUsize,
    /// Those below the height are there.
    stack: [StaticRef<Slot>; KEPT],
}

impl Free {
    pub(super) const fn new() -> Self {
        Self { height: AtomicUsize::new(0), stack: [const { StaticRef::none() }; KEPT] }
    }

    /// Takes a free slot.
    #[inline]
    pub(super) fn take(&self) -> &'static Slot {
        match self.pop() {
            Some(slot) => slot,
            None => self.refill(),
        }
    }

    /// Gives a slot back, whichever thread has taken it.
    #[inline]
    pub(super) fn give_back(&self, slot: &'static Slot) {
        let height = self.height.load(Ordering::Relaxed);
        match self.stack.get(height) {
            Some(place) => {
                place.store(Some(slot), Ordering::Relaxed);
                self.height.store(height + 1, Ordering::Relaxed);
            }
            None => self.share(slot),
        }
    }

    #[inline]
    fn pop(&self) -> Option<&'static Slot> {
        let below = self.height.load(Ordering::Relaxed).wrapping_sub(1);
        let slot = self.stack.get(below)?.load(Ordering::Relaxed);
        self.height.store(below, Ordering::Relaxed);
        slot
    }

    #[cold]
    fn refill(&self) -> &'static Slot {
        let mut common = common();
        if common.free.is_empty() {
            let batch: &'static Batch = Box::leak(Box::new(Batch([const { Slot::new() }; BATCH])));
            common.all.push(batch);
            // The last one is taken first.
            common.free.extend(batch.0.iter().rev());
        }
        let slot = common.free.pop().expect("there is at least one");
        let rest = common.free.len().saturating_sub(KEPT / 2);
        common.free.drain(rest..).for_each(|slot| self.give_back(slot));
        slot
    }

    /// Gives the lower half of a full stack to all: what was given back last is used first.
    #[cold]
    fn share(&self, slot: &'static Slot) {
        let slots =
            |range: std::ops::Range<usize>| self.stack[range].iter().filter_map(|place| place.load(Ordering::Relaxed));
        common().free.extend(slots(0..KEPT / 2));
        for (place, slot) in self.stack.iter().zip(slots(KEPT / 2..KEPT)) {
            place.store(Some(slot), Ordering::Relaxed);
        }
        self.height.store(KEPT / 2, Ordering::Relaxed);
        self.give_back(slot);
    }

    /// Gives everything away, before the thread ends.
    pub(super) fn give_all(&self) {
        common().free.extend(std::iter::from_fn(|| self.pop()));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_that_one_thread_takes_and_another_gives_back_do_not_become_more() {
        let [takes, gives] = [Free::new(), Free::new()];
        let mut seen = std::collections::HashSet::new();
        for _ in 0..20 {
            let taken: Vec<_> = (0..KEPT).map(|_| takes.take()).collect();
            seen.extend(taken.iter().map(|slot| ptr::from_ref(*slot).addr()));
            taken.into_iter().for_each(|slot| gives.give_back(slot));
        }
        // What the first has at hand, what the second keeps, and what is on its way.
        assert!(seen.len() <= 4 * KEPT, "{} slots for {KEPT} at once", seen.len());
        takes.give_all();
        gives.give_all();
    }
}

//! Slots of the table of those that wait, handed out without a lock.
//!
//! Each thread keeps a stack of free slots, linked through the slots themselves. A thread whose stack
//! grows too high gives half of it to all, and one that has none takes what was given or makes new ones.
//! Slots are never freed: there are about as many as there ever were sessions that waited at once.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::RawWakerVTable;

use super::counter::Counter;
use super::static_ref::StaticRef;

/// A place for one session.
#[derive(Debug)]
pub(super) struct Slot {
    /// The task, as its waker points at it; null in a free slot.
    pub(super) task: AtomicPtr<()>,
    /// The other half of that waker.
    pub(super) vtable: StaticRef<RawWakerVTable>,
    pub(super) counter: StaticRef<Counter>,
    /// When the session was born.
    pub(super) born: AtomicUsize,
    /// The next one in its stack of free slots.
    next: StaticRef<Self>,
}

impl Slot {
    const fn new() -> Self {
        Self {
            task: AtomicPtr::new(ptr::null_mut()),
            vtable: StaticRef::none(),
            counter: StaticRef::none(),
            born: AtomicUsize::new(0),
            next: StaticRef::none(),
        }
    }
}

/// How many are made at once.
const BATCH: usize = 409;

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
    /// Stacks of free ones, each with its height.
    free: Vec<(&'static Slot, usize)>,
}

static COMMON: Mutex<Common> = Mutex::new(Common { all: Vec::new(), free: Vec::new() });

fn common() -> MutexGuard<'static, Common> {
    COMMON.lock().expect("nothing panics while it holds the free slots")
}

/// How many free slots a thread keeps at most. Half of them change hands at once.
const KEPT: usize = 1_024;

/// A thread's stack of free slots. Only that thread uses it, and a stack changes hands under the lock
/// only: so all of it is relaxed.
#[derive(Debug)]
pub(super) struct Free {
    top: StaticRef<Slot>,
    height: AtomicUsize,
}

impl Free {
    pub(super) const fn new() -> Self {
        Self { top: StaticRef::none(), height: AtomicUsize::new(0) }
    }

    /// Takes a free slot.
    #[inline]
    pub(super) fn take(&self) -> &'static Slot {
        let Some(slot) = self.top.load(Ordering::Relaxed) else { return self.refill() };
        self.top.store(slot.next.load(Ordering::Relaxed), Ordering::Relaxed);
        self.height.store(self.height.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
        slot
    }

    /// Gives a slot back, whichever thread has taken it.
    #[inline]
    pub(super) fn give_back(&self, slot: &'static Slot) {
        slot.next.store(self.top.load(Ordering::Relaxed), Ordering::Relaxed);
        self.top.store(Some(slot), Ordering::Relaxed);
        let height = self.height.load(Ordering::Relaxed) + 1;
        self.height.store(height, Ordering::Relaxed);
        if height > KEPT {
            self.share();
        }
    }

    #[cold]
    fn refill(&self) -> &'static Slot {
        let mut common = common();
        let (top, height) = common.free.pop().unwrap_or_else(|| {
            let batch: &'static Batch = Box::leak(Box::new(Batch([const { Slot::new() }; BATCH])));
            for pair in batch.0.windows(2) {
                pair[0].next.store(Some(&pair[1]), Ordering::Relaxed);
            }
            common.all.push(batch);
            (&batch.0[0], BATCH)
        });
        self.top.store(top.next.load(Ordering::Relaxed), Ordering::Relaxed);
        self.height.store(height - 1, Ordering::Relaxed);
        top
    }

    /// Gives the upper half away.
    #[cold]
    fn share(&self) {
        let top = self.top.load(Ordering::Relaxed);
        let stack = std::iter::successors(top, |slot| slot.next.load(Ordering::Relaxed));
        if let (Some(top), Some(last)) = (top, stack.take(KEPT / 2).last()) {
            self.top.store(last.next.load(Ordering::Relaxed), Ordering::Relaxed);
            self.height.store(self.height.load(Ordering::Relaxed) - KEPT / 2, Ordering::Relaxed);
            last.next.store(None, Ordering::Relaxed);
            common().free.push((top, KEPT / 2));
        }
    }

    /// Gives everything away, before the thread ends.
    pub(super) fn give_all(&self) {
        if let Some(top) = self.top.load(Ordering::Relaxed) {
            common().free.push((top, self.height.load(Ordering::Relaxed)));
        }
        self.top.store(None, Ordering::Relaxed);
        self.height.store(0, Ordering::Relaxed);
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

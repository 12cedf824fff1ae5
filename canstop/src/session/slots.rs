//! Slots of the table of those that wait, handed out without a lock.
//!
//! Each thread keeps a stack of free slots, linked through the slots themselves. A thread whose stack
//! grows too high gives a batch to all, and one that has none takes a batch or makes new ones. Slots
//! are never freed: there are as many as there ever were sessions that waited at once.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// A place for one session.
#[derive(Debug)]
pub(super) struct Slot {
    /// The task, as its waker points at it; null in a free slot.
    pub(super) task: AtomicPtr<()>,
    /// The counter's id and the session's mark.
    pub(super) about: AtomicU64,
    /// The next one in its stack of free slots.
    next: AtomicPtr<Slot>,
}

/// How many are made and change hands at once.
const BATCH: usize = 682;

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
    /// Stacks of free ones.
    free: Vec<&'static Slot>,
}

static COMMON: Mutex<Common> = Mutex::new(Common { all: Vec::new(), free: Vec::new() });

fn common() -> MutexGuard<'static, Common> {
    COMMON.lock().expect("nothing panics while it holds the free slots")
}

/// A thread's stack of free slots.
struct Free {
    top: Cell<Option<&'static Slot>>,
    /// How many were given back more than were taken, since the stack was last cut or filled.
    surplus: Cell<usize>,
}

thread_local! {
    static FREE: Free = const { Free { top: Cell::new(None), surplus: Cell::new(0) } };
}

impl Slot {
    /// Relaxed: a free slot is its thread's own, and changes hands under the lock only.
    #[inline]
    fn next(&self) -> Option<&'static Slot> {
        let next = self.next.load(Ordering::Relaxed);
        #[expect(unsafe_code, reason = "a reference cannot be stored atomically, a pointer can")]
        // SAFETY: only `set_next` writes it, and that from a reference to a slot, which lives for
        // ever, or null.
        unsafe {
            next.as_ref()
        }
    }

    #[inline]
    fn set_next(&self, next: Option<&'static Slot>) {
        let next = next.map_or(ptr::null_mut(), |next| ptr::from_ref(next).cast_mut());
        self.next.store(next, Ordering::Relaxed);
    }
}

/// Takes a free slot.
#[inline]
pub(super) fn take() -> &'static Slot {
    FREE.with(|free| {
        let slot = match free.top.get() {
            Some(slot) => slot,
            None => free.refill(),
        };
        free.top.set(slot.next());
        free.surplus.set(free.surplus.get().saturating_sub(1));
        slot
    })
}

/// Gives a slot back, to whatever thread this is.
#[inline]
pub(super) fn give_back(slot: &'static Slot) {
    FREE.with(|free| {
        slot.set_next(free.top.get());
        free.top.set(Some(slot));
        free.surplus.set(free.surplus.get() + 1);
        if free.surplus.get() > 2 * BATCH {
            free.share();
        }
    });
}

/// Gives everything that the thread keeps to all, before it ends.
pub(super) fn give_back_all() {
    FREE.with(|free| {
        common().free.extend(free.top.take());
        free.surplus.set(0);
    });
}

impl Free {
    #[cold]
    fn refill(&self) -> &'static Slot {
        self.surplus.set(0);
        let mut common = common();
        if let Some(top) = common.free.pop() {
            return top;
        }
        let new =
            || Slot { task: AtomicPtr::new(ptr::null_mut()), about: AtomicU64::new(0), next: AtomicPtr::default() };
        let batch: &'static Batch = Box::leak(Box::new(Batch(std::array::from_fn(|_| new()))));
        for pair in batch.0.windows(2) {
            pair[0].set_next(Some(&pair[1]));
        }
        common.all.push(batch);
        &batch.0[0]
    }

    /// Gives the upper batch away and keeps the rest.
    #[cold]
    fn share(&self) {
        let top = self.top.get();
        let stack = std::iter::successors(top, |slot| slot.next());
        if let Some(last) = stack.take(BATCH).last() {
            self.top.set(last.next());
            last.set_next(None);
            self.surplus.set(self.surplus.get() - BATCH);
            common().free.extend(top);
        }
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

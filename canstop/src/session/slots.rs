//! The slots of the table of waiting sessions, and the word that leads from a session to its slot.
//!
//! Each thread keeps a stack of free slots, so that it takes and returns them without a lock. A thread whose
//! stack is full moves half of it to a common list; one whose stack is empty takes as many from there, or
//! allocates new ones. Slots are never freed: there are about as many as sessions ever waited at once.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::scope::Counter;
use super::static_ref::StaticRef;
use super::tagged::{SharedTagged, SpawnTick, Tagged};

/// A place for one session. It is all that a waiting session costs beside its task.
#[derive(Debug)]
pub(super) struct Slot {
    /// The task, as its waker points at it; null in a free slot.
    pub(super) task: AtomicPtr<()>,
    /// The session's counter and spawn tick.
    pub(super) tagged: SharedTagged<Counter>,
}

impl Slot {
    const fn new() -> Self {
        Self { task: AtomicPtr::new(ptr::null_mut()), tagged: SharedTagged::none() }
    }
}

/// What a session knows of itself, in one word: its counter and spawn tick until it first waits, then its slot,
/// which holds both. The lowest bit tells them apart.
#[derive(Clone, Copy)]
pub(super) struct SessionState(NonNull<()>);

#[expect(unsafe_code, reason = "a pointer is not `Send` by itself, a reference to a counter or a slot is")]
// SAFETY: it is a `&'static Counter` or a `&'static Slot`, and both may be sent to any thread.
unsafe impl Send for SessionState {}

/// A [`SessionState`], read.
pub(super) enum Stage {
    /// It has not waited yet.
    Fresh(Tagged<Counter>),
    /// It is in the table.
    Entered(&'static Slot),
}

impl SessionState {
    #[inline]
    pub(super) fn fresh(tagged: Tagged<Counter>) -> Self {
        Self(tagged.to_word())
    }

    #[inline]
    pub(super) fn entered(slot: &'static Slot) -> Self {
        Self(NonNull::from(slot).cast())
    }

    #[inline]
    pub(super) fn get(self) -> Stage {
        #[expect(unsafe_code, reason = "a word that is either of two references")]
        // SAFETY: every tagged reference has its lowest bit set, and no slot's address has, because slots are
        // aligned to more than one byte. So the bit says which of the two functions above made the word.
        unsafe {
            if self.poll_tag().has_tick() {
                Stage::Fresh(Tagged::from_word(self.0))
            } else {
                Stage::Entered(self.0.cast().as_ref())
            }
        }
    }

    /// What a thread publishes while it polls the session.
    #[inline]
    pub(super) fn poll_tag(self) -> PollTag {
        PollTag(self.0.addr().get())
    }
}

/// What a thread publishes about the session or body that it polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PollTag(usize);

impl PollTag {
    /// It polls nothing.
    pub(super) const IDLE: Self = Self(0);
    /// It polls a body.
    pub(super) const BODY: Self = Self(2);

    #[inline]
    fn has_tick(self) -> bool {
        self.0 & 1 == 1
    }

    /// When the session was spawned; `None` if it is in the table, which has that.
    pub(super) fn tick(self) -> Option<SpawnTick> {
        self.has_tick().then(|| SpawnTick::of_word(self.0))
    }

    /// The same tag with a [saturated](SpawnTick::SATURATED) tick, if that is about to wrap around.
    pub(super) fn saturated(self, now: SpawnTick) -> Option<Self> {
        self.tick().filter(|tick| tick.wraps_soon(now))?;
        Some(Self(SpawnTick::SATURATED.replace_in(self.0)))
    }

    #[inline]
    pub(super) fn to_bits(self) -> usize {
        self.0
    }

    #[inline]
    pub(super) fn from_bits(bits: usize) -> Self {
        Self(bits)
    }
}

/// How many slots are allocated at once.
const BATCH: usize = 1_024;

/// A batch of slots, alone in its sixteen kilobytes: the upper bits of a slot's address are those of its batch.
#[repr(align(16384))]
struct Batch([Slot; BATCH]);
const BATCH_BITS: u32 = 14;
const _: () = assert!(size_of::<Batch>() == 1 << BATCH_BITS);

/// What no thread owns.
struct Common {
    /// Every slot.
    all: Vec<&'static Batch>,
    free: Vec<&'static Slot>,
}

static COMMON: Mutex<Common> = Mutex::new(Common { all: Vec::new(), free: Vec::new() });

fn common() -> MutexGuard<'static, Common> {
    COMMON.lock().expect("nothing panics while it holds the free slots")
}

/// How many free slots a thread keeps at most. Half of them are moved at once.
const KEPT: usize = 1_024;

/// A thread's stack of free slots. Only that thread accesses it, so all orderings are relaxed.
#[derive(Debug)]
pub(super) struct Free {
    height: AtomicUsize,
    /// Those below the height hold a slot.
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

    /// Returns a slot, whichever thread has taken it.
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
            // The last one is popped first.
            common.free.extend(batch.0.iter().rev());
        }
        let slot = common.free.pop().expect("a batch was added if it was empty");
        let rest = common.free.len().saturating_sub(KEPT / 2);
        common.free.drain(rest..).for_each(|slot| self.give_back(slot));
        slot
    }

    /// Moves the lower half of a full stack to the common list: what was returned last is used first.
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

    /// Moves everything to the common list, before the thread ends.
    pub(super) fn give_all(&self) {
        common().free.extend(std::iter::from_fn(|| self.pop()));
    }
}

/// A number that all slots of a batch share, and no slot of another one.
#[inline]
pub(super) fn batch_of(slot: &'static Slot) -> usize {
    ptr::from_ref(slot).addr() >> BATCH_BITS
}

/// Every slot, by batches.
pub(super) fn batches() -> Vec<&'static [Slot]> {
    common().all.iter().map(|batch| &batch.0[..]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::service;
    use super::*;

    #[test]
    fn a_state_word_returns_what_it_was_made_from() {
        let counter = service().body_counter();
        for tick in [0, 1, 2, u32::MAX].map(SpawnTick::at) {
            let tagged = Tagged::new(counter, tick);
            let state = SessionState::fresh(tagged);
            assert!(matches!(state.get(), Stage::Fresh(same) if same == tagged));
            assert_eq!(state.poll_tag().tick(), Some(tick));
        }
        let free = Free::new();
        let slot = free.take();
        let state = SessionState::entered(slot);
        assert!(matches!(state.get(), Stage::Entered(same) if ptr::eq(same, slot)));
        assert!(![PollTag::IDLE, PollTag::BODY].contains(&state.poll_tag()));
        assert_eq!(state.poll_tag().tick(), None);
        free.give_back(slot);
        free.give_all();
    }

    #[test]
    fn slots_that_another_thread_returns_are_used_again() {
        let [takes, gives] = [Free::new(), Free::new()];
        let mut seen = std::collections::HashSet::new();
        for _ in 0..if cfg!(miri) { 2 } else { 20 } {
            let taken: Vec<_> = (0..KEPT).map(|_| takes.take()).collect();
            seen.extend(taken.iter().map(|slot| ptr::from_ref(*slot).addr()));
            taken.into_iter().for_each(|slot| gives.give_back(slot));
        }
        // What the first one has, what the second one keeps, and what the common list holds.
        assert!(seen.len() <= 4 * KEPT, "{} slots for {KEPT} at once", seen.len());
        takes.give_all();
        gives.give_all();
    }
}

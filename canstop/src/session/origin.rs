//! Where a session was counted and when it was born, in one word.
//!
//! A reference to a counter leaves bits free: the lowest, because counters are aligned, and the highest,
//! because most 64-bit systems give a program no memory at an address that has one of them. They hold the
//! birth. So a session carries eight bytes, and one operation leads from them to its counter.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::counter::Counter;

/// How many of the highest bits no address has, where that is known: these processors and systems give
/// out more only to those who ask for it. Android tags its addresses there, illumos maps files there.
const HIGH: u32 = if cfg!(all(
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "powerpc64",
        target_arch = "s390x"
    ),
    target_pointer_width = "64",
    any(target_os = "linux", target_os = "macos", target_os = "windows", target_os = "freebsd")
)) {
    16
} else {
    0
};
/// How many of the lowest bits no counter's address has.
const LOW: u32 = align_of::<Counter>().trailing_zeros();
/// Where a counter's address has its bits.
const ADDRESS: usize = usize::MAX << LOW & usize::MAX >> HIGH;

/// A counter and a birth. Its lowest bit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin(NonNull<Counter>);

impl Origin {
    /// Can this counter be part of one?
    pub(super) fn can_hold(counter: &'static Counter) -> bool {
        ptr::from_ref(counter).addr() & !ADDRESS == 0
    }

    #[inline]
    pub(super) fn new(counter: &'static Counter, born: Birth) -> Self {
        Self(NonNull::from(counter).map_addr(|address| address | born.0))
    }

    #[inline]
    pub(super) fn counter(self) -> &'static Counter {
        #[expect(unsafe_code, reason = "a reference whose free bits are used")]
        // SAFETY: without the bits of the birth it is the reference that `new` was given, to a counter
        // that lives for ever. The reference has none of these bits: `Counter::leak` asks `can_hold`.
        unsafe {
            &*self.0.as_ptr().map_addr(|word| word & ADDRESS)
        }
    }

    pub(super) fn born(self) -> Birth {
        Birth::of_word(self.0.addr().get())
    }

    /// As a word that may stand for something else, too, if that has its lowest bit clear.
    #[inline]
    pub(super) fn to_word(self) -> NonNull<()> {
        self.0.cast()
    }

    #[expect(unsafe_code, reason = "nothing but the word says what it stands for")]
    /// # Safety
    ///
    /// The word was made by [`to_word`](Self::to_word).
    #[inline]
    pub(super) unsafe fn from_word(word: NonNull<()>) -> Self {
        Self(word.cast())
    }
}

/// A place for an origin that others may read. All of it is relaxed.
#[derive(Debug)]
pub(super) struct SharedOrigin(AtomicPtr<Counter>);

impl SharedOrigin {
    pub(super) const fn none() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub(super) fn store(&self, origin: Origin) {
        self.0.store(origin.0.as_ptr(), Ordering::Relaxed);
    }

    /// Marks a birth that is nearly forgotten. If the slot changes hands meanwhile, its next session has
    /// stored another word, and that stays.
    pub(super) fn mark_forgotten(&self, now: Birth) {
        let Some(origin) = self.load().filter(|origin| origin.born().is_nearly_forgotten(now)) else { return };
        let forgotten = origin.0.as_ptr().map_addr(|word| Birth::FORGOTTEN.replace_in(word));
        let _ = self.0.compare_exchange(origin.0.as_ptr(), forgotten, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// What was stored last, if anything ever was.
    #[inline]
    pub(super) fn load(&self) -> Option<Origin> {
        NonNull::new(self.0.load(Ordering::Relaxed)).map(Origin)
    }
}

/// When a session was born: a tick, in the bits that an address leaves free. Its lowest bit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Birth(usize);

/// How much of a tick is kept: four days and twenty hours of them.
const BITS: u32 = LOW - 1 + HIGH;
const LOWER: usize = (1 << LOW) - 1;
const UPPER: usize = (1 << HIGH) - 1;

/// The age at which a birth is forgotten, in ticks: four days. Ages end there.
const FORGOTTEN_AT: u32 = 4 * 24 * 3_600 * 10;

impl Birth {
    /// A birth so long ago that its tick may have come again. No tick is marked so.
    pub(super) const FORGOTTEN: Self = Self(1);

    pub(super) fn at(tick: u32) -> Self {
        let tick = tick as usize & ((1 << BITS) - 1);
        // One tick in four days is a tenth of a second long in vain: zero means forgotten.
        let tick = tick.max(1);
        let lower = (tick << 1 | 1) & LOWER;
        let upper = tick >> (LOW - 1) & UPPER;
        Self(lower | upper.rotate_right(HIGH))
    }

    fn tick(self) -> u32 {
        let lower = (self.0 & LOWER) >> 1;
        let upper = self.0.rotate_left(HIGH) & UPPER;
        (upper << (LOW - 1) | lower) as u32
    }

    /// How many ticks before `now` it was, and at most [`FORGOTTEN_AT`]. None where a word has too few free
    /// bits to know.
    pub(super) fn age(self, now: Self) -> Option<u32> {
        if HIGH == 0 {
            return None;
        }
        if self == Self::FORGOTTEN {
            return Some(FORGOTTEN_AT);
        }
        Some((now.tick().wrapping_sub(self.tick()) & ((1 << BITS) - 1)).min(FORGOTTEN_AT))
    }

    /// Returns true if its tick comes again before long. Asked for every six hours, this is in time.
    pub(super) fn is_nearly_forgotten(self, now: Self) -> bool {
        self != Self::FORGOTTEN && self.age(now) == Some(FORGOTTEN_AT)
    }

    /// A word with this birth in the place of its own.
    pub(super) fn replace_in(self, word: usize) -> usize {
        word & ADDRESS | self.0
    }

    /// What of an origin's word is the birth.
    pub(super) fn of_word(word: usize) -> Self {
        Self(word & !ADDRESS)
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

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: u32 = (1 << BITS) - 1;

    #[test]
    fn a_tick_takes_no_bit_of_an_address_and_comes_back() {
        for tick in (0..BITS).map(|bit| 1 << bit).chain([LAST / 3, LAST]) {
            let born = Birth::at(tick);
            assert_eq!((born.tick(), born.0 & ADDRESS, born.0 & 1), (tick, 0, 1));
        }
    }

    #[test]
    fn an_age_is_right_when_the_ticks_have_begun_anew() {
        let two = (HIGH > 0).then_some(2);
        assert_eq!(Birth::at(7).age(Birth::at(9)), two);
        assert_eq!(Birth::at(LAST).age(Birth::at(LAST + 3)), two.map(|two| two + 1));
    }

    #[test]
    fn an_age_saturates_and_never_begins_anew() {
        if HIGH == 0 {
            return;
        }
        const SIX_HOURS: u32 = 6 * 3_600 * 10;
        for first in [1, LAST / 2, LAST] {
            let mut born = Birth::at(first);
            let mut before = 0;
            for passed in (0..4 * LAST).step_by(SIX_HOURS as usize) {
                let now = Birth::at(first.wrapping_add(passed));
                let age = born.age(now).unwrap();
                assert!(age.abs_diff(passed.min(FORGOTTEN_AT)) <= 1 && age >= before, "{age} after {passed}");
                before = age;
                if born.is_nearly_forgotten(now) {
                    born = Birth::FORGOTTEN;
                }
            }
            assert_eq!(born, Birth::FORGOTTEN);
        }
    }
}

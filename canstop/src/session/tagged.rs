//! A reference and the tick of a spawn, in one word.
//!
//! A reference to an aligned value leaves bits free: the lowest, and the highest, because most 64-bit systems
//! give a program no memory at an address that has one of them. They hold the tick. So a session carries eight
//! bytes, and one operation leads from them to its counter.

use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

/// The length of a tick, which is the precision of ages.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// How many of the highest bits no address has, where that is known: these processors and systems hand out
/// more only on request. Android tags its addresses there, illumos maps files there.
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
/// The alignment of what a tagged reference refers to.
const ALIGNMENT: usize = 128;
/// How many of the lowest bits its address leaves free.
const LOW: u32 = ALIGNMENT.trailing_zeros();
/// Where the address has its bits.
const ADDRESS: usize = usize::MAX << LOW & usize::MAX >> HIGH;

/// A `&'static T` and a [`SpawnTick`]. Its lowest bit is set.
pub(super) struct Tagged<T: 'static>(NonNull<T>, PhantomData<&'static T>);

impl<T: Sync> Tagged<T> {
    /// Returns true if the address of this value leaves the bits of a tick free.
    pub(super) fn can_refer_to(value: &'static T) -> bool {
        ptr::from_ref(value).addr() & !ADDRESS == 0
    }

    /// The value's address must [leave the bits free](Self::can_refer_to).
    #[inline]
    pub(super) fn new(value: &'static T, tick: SpawnTick) -> Self {
        const { assert!(align_of::<T>() >= ALIGNMENT) };
        debug_assert!(Self::can_refer_to(value));
        Self(NonNull::from(value).map_addr(|address| address | tick.0), PhantomData)
    }

    #[inline]
    pub(super) fn get(self) -> &'static T {
        #[expect(unsafe_code, reason = "a reference whose free bits are used")]
        // SAFETY: without the bits of the tick it is the reference that `new` was given, which is valid for
        // `'static`. That reference has none of these bits: `new` requires `can_refer_to`.
        unsafe {
            &*self.0.as_ptr().map_addr(|word| word & ADDRESS)
        }
    }

    pub(super) fn tick(self) -> SpawnTick {
        SpawnTick::of_word(self.0.addr().get())
    }

    /// As a word that may be something else in another state, if that has its lowest bit clear.
    #[inline]
    pub(super) fn to_word(self) -> NonNull<()> {
        self.0.cast()
    }

    #[expect(unsafe_code, reason = "a word does not say what it was made from")]
    /// # Safety
    ///
    /// The word was made by [`to_word`](Self::to_word).
    #[inline]
    pub(super) unsafe fn from_word(word: NonNull<()>) -> Self {
        Self(word.cast(), PhantomData)
    }
}

impl<T> Clone for Tagged<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Tagged<T> {}

impl<T> PartialEq for Tagged<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// An `Option<Tagged<T>>` that other threads may read. All accesses are relaxed.
#[derive(Debug)]
pub(super) struct SharedTagged<T: 'static>(AtomicPtr<T>);

impl<T: Sync> SharedTagged<T> {
    pub(super) const fn none() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub(super) fn store(&self, tagged: Tagged<T>) {
        self.0.store(tagged.0.as_ptr(), Ordering::Relaxed);
    }

    /// Saturates a tick that is about to wrap around. If the slot changes hands meanwhile, its next session has
    /// stored another word, which stays.
    pub(super) fn saturate(&self, now: SpawnTick) {
        let Some(tagged) = self.load().filter(|tagged| tagged.tick().wraps_soon(now)) else { return };
        let saturated = tagged.0.as_ptr().map_addr(|word| SpawnTick::SATURATED.replace_in(word));
        let _ = self.0.compare_exchange(tagged.0.as_ptr(), saturated, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// What was stored last, if anything ever was.
    #[inline]
    pub(super) fn load(&self) -> Option<Tagged<T>> {
        NonNull::new(self.0.load(Ordering::Relaxed)).map(|word| Tagged(word, PhantomData))
    }
}

/// When a session was spawned, in the bits that an address leaves free. Its lowest bit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpawnTick(usize);

/// How much of a tick is kept: four days and twenty hours of them.
const BITS: u32 = LOW - 1 + HIGH;
const LOWER: usize = (1 << LOW) - 1;
const UPPER: usize = (1 << HIGH) - 1;

/// The greatest age, in ticks: four days.
const MAX_AGE: u32 = 4 * 24 * 3_600 * 10;

impl SpawnTick {
    /// A spawn so long ago that its tick may have come again. No tick has this value.
    pub(super) const SATURATED: Self = Self(1);

    pub(super) fn at(tick: u32) -> Self {
        let tick = tick as usize & ((1 << BITS) - 1);
        // Zero is the saturated tick. Once in four days this makes an age a tenth of a second wrong.
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

    /// How many ticks before `now` it was, and at most [`MAX_AGE`]. `None` where a word has too few free bits to
    /// know.
    pub(super) fn age(self, now: Self) -> Option<u32> {
        if HIGH == 0 {
            return None;
        }
        if self == Self::SATURATED {
            return Some(MAX_AGE);
        }
        Some((now.tick().wrapping_sub(self.tick()) & ((1 << BITS) - 1)).min(MAX_AGE))
    }

    /// Returns true if the tick comes again within a day. A check every six hours is in time.
    pub(super) fn wraps_soon(self, now: Self) -> bool {
        self != Self::SATURATED && self.age(now) == Some(MAX_AGE)
    }

    /// A word with this tick in the place of its own.
    pub(super) fn replace_in(self, word: usize) -> usize {
        word & ADDRESS | self.0
    }

    /// The tick of a tagged word.
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

    #[repr(align(128))]
    struct Aligned(u8);

    #[test]
    fn a_tagged_reference_returns_what_it_was_made_from() {
        static VALUE: Aligned = Aligned(7);
        assert!(Tagged::can_refer_to(&VALUE));
        for tick in [0, 1, 2, u32::MAX].map(SpawnTick::at) {
            let tagged = Tagged::new(&VALUE, tick);
            assert!(ptr::eq(tagged.get(), &VALUE) && tagged.get().0 == 7 && tagged.tick() == tick);
        }
    }

    #[test]
    fn a_tick_uses_no_bit_of_an_address() {
        for tick in (0..BITS).map(|bit| 1 << bit).chain([LAST / 3, LAST]) {
            let spawned = SpawnTick::at(tick);
            assert_eq!((spawned.tick(), spawned.0 & ADDRESS, spawned.0 & 1), (tick, 0, 1));
        }
    }

    #[test]
    fn an_age_is_right_after_the_ticks_wrap_around() {
        let two = (HIGH > 0).then_some(2);
        assert_eq!(SpawnTick::at(7).age(SpawnTick::at(9)), two);
        assert_eq!(SpawnTick::at(LAST).age(SpawnTick::at(LAST + 3)), two.map(|two| two + 1));
    }

    #[test]
    fn an_age_saturates_and_never_falls() {
        if HIGH == 0 {
            return;
        }
        const SIX_HOURS: u32 = 6 * 3_600 * 10;
        for first in [1, LAST / 2, LAST] {
            let mut spawned = SpawnTick::at(first);
            let mut before = 0;
            for passed in (0..4 * LAST).step_by(SIX_HOURS as usize) {
                let now = SpawnTick::at(first.wrapping_add(passed));
                let age = spawned.age(now).unwrap();
                assert!(age.abs_diff(passed.min(MAX_AGE)) <= 1 && age >= before, "{age} after {passed}");
                before = age;
                if spawned.wraps_soon(now) {
                    spawned = SpawnTick::SATURATED;
                }
            }
            assert_eq!(spawned, SpawnTick::SATURATED);
        }
    }
}

//! One word: when a session was born, or, once it has waited, its slot, which then knows.

use std::ptr;

use super::slots::Slot;

/// Either the tick of its birth, shifted up and with the lowest bit set, or a slot, whose lowest bit is
/// zero.
#[derive(Clone, Copy)]
pub(super) struct Standing(*const Slot);

#[expect(unsafe_code, reason = "a pointer is not `Send` by itself, a reference to a slot is")]
// SAFETY: it stands for an integer or for a `&'static Slot`, and both may go to any thread.
unsafe impl Send for Standing {}

/// What a [`Standing`] stands for.
pub(super) enum Stands {
    /// It has not waited yet.
    Born(Mark),
    /// It is in the table.
    Entered(&'static Slot),
}

impl Standing {
    #[inline]
    pub(super) fn born(mark: Mark) -> Self {
        Self(ptr::without_provenance(mark.0))
    }

    #[inline]
    pub(super) fn entered(slot: &'static Slot) -> Self {
        Self(slot)
    }

    #[inline]
    pub(super) fn get(self) -> Stands {
        if self.mark().is_born() {
            return Stands::Born(self.mark());
        }
        #[expect(unsafe_code, reason = "a word that is either an integer or a reference")]
        // SAFETY: its lowest bit says that `entered` made it, from a reference that lives for ever.
        // Slots are aligned to more than one byte, so none of them looks like a birth.
        Stands::Entered(unsafe { &*self.0 })
    }

    /// What its thread says while it polls it.
    #[inline]
    pub(super) fn mark(self) -> Mark {
        Mark(self.0.addr())
    }
}

/// What is known, of what a thread polls, by a look at the thread alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(usize);

/// How much of a birth is kept: nineteen days.
const BORN: u32 = (1 << 24) - 1;

impl Mark {
    /// It polls nothing.
    pub(super) const IDLE: Self = Self(0);
    /// It polls a body.
    pub(super) const BODY: Self = Self(2);

    /// A session that was born in this tick.
    pub(super) fn born(tick: u32) -> Self {
        Self(((tick & BORN) as usize) << 1 | 1)
    }

    /// Does it say when the session was born? If not, the table does.
    #[inline]
    pub(super) fn is_born(self) -> bool {
        self.0 & 1 == 1
    }

    /// How many ticks before `now` it was born.
    pub(super) fn age(self, now: Self) -> u32 {
        ((now.0 >> 1) as u32).wrapping_sub((self.0 >> 1) as u32) & BORN
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
    use super::super::slots::Free;
    use super::*;

    #[test]
    fn a_birth_and_a_slot_come_back_as_they_were() {
        for tick in [0, 1, 2, BORN] {
            let born = Mark::born(tick);
            assert!(matches!(Standing::born(born).get(), Stands::Born(same) if same == born));
        }
        let free = Free::new();
        let slot = free.take();
        let standing = Standing::entered(slot);
        assert!(matches!(standing.get(), Stands::Entered(same) if ptr::eq(same, slot)));
        assert!(![Mark::IDLE, Mark::BODY].contains(&standing.mark()));
        free.give_back(slot);
        free.give_all();
    }

    #[test]
    fn an_age_is_right_when_the_ticks_have_begun_anew() {
        assert_eq!(Mark::born(7).age(Mark::born(9)), 2);
        assert_eq!(Mark::born(BORN).age(Mark::born(BORN + 2)), 2);
    }
}

//! One word: when a session was born, or, once it has waited, its slot, which then knows.

use std::ptr;

use super::slots::Slot;
use super::thread::Mark;

/// Either a [`Mark`], shifted up and with the lowest bit set, or a slot, whose lowest bit is zero.
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
        Self(ptr::without_provenance((mark.to_bits() as usize) << 1 | 1))
    }

    #[inline]
    pub(super) fn entered(slot: &'static Slot) -> Self {
        Self(slot)
    }

    #[inline]
    pub(super) fn get(self) -> Stands {
        if self.0.addr() & 1 == 1 {
            return Stands::Born(Mark::from_bits((self.0.addr() >> 1) as u32));
        }
        #[expect(unsafe_code, reason = "a word that is either an integer or a reference")]
        // SAFETY: its lowest bit says that `entered` made it, from a reference that lives for ever.
        // Slots are aligned to more than one byte, so none of them looks like a mark.
        Stands::Entered(unsafe { &*self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_and_a_slot_come_back_as_they_were() {
        for bits in [0, 1, 2, 0x00FF_FFFF] {
            assert!(
                matches!(Standing::born(Mark::from_bits(bits)).get(), Stands::Born(mark) if mark.to_bits() == bits)
            );
        }
        let slot = super::super::slots::take();
        assert!(matches!(Standing::entered(slot).get(), Stands::Entered(same) if ptr::eq(same, slot)));
        super::super::slots::give_back(slot);
    }
}

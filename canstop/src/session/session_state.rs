//! One word: where a session comes from, or, once it has waited, its slot, which then knows.

use std::ptr::NonNull;

use super::origin::{Birth, Origin};
use super::slots::Slot;

/// Either an [`Origin`], whose lowest bit is set, or a slot, whose lowest bit is not.
#[derive(Clone, Copy)]
pub(super) struct SessionState(NonNull<()>);

#[expect(unsafe_code, reason = "a pointer is not `Send` by itself, a reference to a counter or a slot is")]
// SAFETY: it stands for a `&'static Counter` or a `&'static Slot`, and both may go to any thread.
unsafe impl Send for SessionState {}

/// What a [`SessionState`] stands for.
pub(super) enum Stage {
    /// It has not waited yet.
    Fresh(Origin),
    /// It is in the table.
    Entered(&'static Slot),
}

impl SessionState {
    #[inline]
    pub(super) fn fresh(origin: Origin) -> Self {
        Self(origin.to_word())
    }

    #[inline]
    pub(super) fn entered(slot: &'static Slot) -> Self {
        Self(NonNull::from(slot).cast())
    }

    #[inline]
    pub(super) fn get(self) -> Stage {
        #[expect(unsafe_code, reason = "a word that is either one thing or the other")]
        // SAFETY: its lowest bit is that of every origin, and of no slot, as those are aligned to more
        // than one byte. So it says which of the two functions above made the word.
        unsafe {
            if self.mark().is_born() {
                Stage::Fresh(Origin::from_word(self.0))
            } else {
                Stage::Entered(self.0.cast().as_ref())
            }
        }
    }

    /// What its thread says while it polls it.
    #[inline]
    pub(super) fn mark(self) -> Mark {
        Mark(self.0.addr().get())
    }
}

/// What is known, of what a thread polls, by a look at the thread alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(usize);

impl Mark {
    /// It polls nothing.
    pub(super) const IDLE: Self = Self(0);
    /// It polls a body.
    pub(super) const BODY: Self = Self(2);

    /// Does it say when the session was born? If not, the table does.
    #[inline]
    fn is_born(self) -> bool {
        self.0 & 1 == 1
    }

    /// When the session was born, if it is not in the table, which knows it then.
    pub(super) fn born(self) -> Option<Birth> {
        self.is_born().then(|| Birth::of_word(self.0))
    }

    /// The same mark with a birth that is [forgotten](Birth::FORGOTTEN), if it is nearly.
    pub(super) fn forgotten(self, now: Birth) -> Option<Self> {
        self.born().filter(|born| born.is_nearly_forgotten(now))?;
        Some(Self(Birth::FORGOTTEN.replace_in(self.0)))
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
    use std::ptr;

    use super::super::counter::{Counter, Kind};
    use super::super::slots::Free;
    use super::super::tests::{SITE, service};
    use super::*;

    #[test]
    fn an_origin_and_a_slot_come_back_as_they_were() {
        let counter = Counter::leak(&SITE, service(), Kind::Session, None);
        for tick in [0, 1, 2, u32::MAX] {
            let origin = Origin::new(counter, Birth::at(tick));
            let snapshot = SessionState::fresh(origin);
            assert!(matches!(snapshot.get(), Stage::Fresh(same) if same == origin));
            assert!(ptr::eq(origin.counter(), counter));
            assert_eq!((origin.born(), snapshot.mark().born()), (Birth::at(tick), Some(Birth::at(tick))));
        }
        let free = Free::new();
        let slot = free.take();
        let snapshot = SessionState::entered(slot);
        assert!(matches!(snapshot.get(), Stage::Entered(same) if ptr::eq(same, slot)));
        assert!(![Mark::IDLE, Mark::BODY].contains(&snapshot.mark()));
        assert_eq!(snapshot.mark().born(), None);
        free.give_back(slot);
        free.give_all();
    }
}

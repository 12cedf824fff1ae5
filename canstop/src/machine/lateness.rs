//! Spans in which the control plane itself did not look.

use std::time::Duration;

use super::time::Time;

/// When the control plane last looked at something that it looks at every tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    last: Time,
}

impl Looks {
    pub(super) fn since(now: Time) -> Self {
        Self { last: now }
    }

    /// Notes a look, and returns by how much it is late, if that is more than a tick. What is looked at is forgiven
    /// that span, in which the whole process may have been starved or suspended.
    pub(super) fn lateness(&mut self, now: Time, tick: Duration) -> Option<Duration> {
        let late = now.since(self.last + tick);
        self.last = now;
        (late > tick).then_some(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_late_by_what_exceeds_its_tick_if_that_is_more_than_another() {
        let at = |milliseconds| Time::after_start(Duration::from_millis(milliseconds));
        let tick = Duration::from_millis(100);
        let late = |now| Looks::since(at(1_000)).lateness(at(now), tick);
        assert_eq!((late(1_050), late(1_200)), (None, None));
        assert_eq!(late(1_201), Some(Duration::from_millis(101)));
        let mut looks = Looks::since(at(0));
        assert_eq!(looks.lateness(at(500), tick), Some(Duration::from_millis(400)));
        assert_eq!(looks.lateness(at(600), tick), None, "it counts from the last look");
    }
}

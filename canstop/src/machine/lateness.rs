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

//! Spans in which a thread did not run: the process was stopped, frozen or suspended.

use std::time::Duration;

use tokio::time::Instant;

/// A thread that is later than this was not only waiting for its turn.
const FROZEN_FROM: Duration = Duration::from_millis(500);

/// How long a thread did not run that was to wake at `due` and woke at `now`; none if it was merely late.
pub(super) fn frozen_span(due: Instant, now: Instant) -> Option<Duration> {
    let late = now.saturating_duration_since(due);
    (late >= FROZEN_FROM).then_some(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_not_frozen_time() {
        let due = Instant::now();
        let after = |ms| due + Duration::from_millis(ms);
        assert_eq!(frozen_span(after(100), due), None);
        assert_eq!(frozen_span(due, after(499)), None);
        assert_eq!(frozen_span(due, after(700)), Some(Duration::from_millis(700)));
    }
}

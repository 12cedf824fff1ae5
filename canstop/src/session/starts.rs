//! The age of sessions that no thread has polled yet.
//!
//! Such a session is in no table; only its task has its spawn tick. But if *s* sessions of a site were started and *k*
//! of them are unpolled, the oldest of these is at least as old as number *s - k + 1*. The growth of the count gives
//! the start of that one to a tick.

use std::collections::VecDeque;

use tokio::time::Instant;

/// How many sessions of one site had been started, at which time.
#[derive(Debug, Default)]
pub(super) struct Starts(VecDeque<(Instant, u64)>);

/// How many changes are kept: those of a minute, if sessions are started in every tick. A session that was started
/// earlier counts as started at the first of them.
const REMEMBERED: usize = 600;

impl Starts {
    /// Notes how many have been started by now.
    pub(super) fn note(&mut self, now: Instant, started: u64) {
        if self.0.back().is_some_and(|&(_, before)| before == started) {
            return;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((now, started));
    }

    /// The time by which this one was started; the first is number one. `None` if that is not noted yet.
    pub(super) fn by_when(&self, number: u64) -> Option<Instant> {
        let first = self.0.partition_point(|&(_, started)| started < number);
        self.0.get(first).map(|&(when, _)| when)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_session_was_started_by_the_first_tick_that_counts_it() {
        let began = Instant::now();
        let tick = |number: u32| began + Duration::from_millis(100) * number;
        let mut starts = Starts::default();
        for (number, started) in [0, 2, 2, 5].into_iter().enumerate() {
            starts.note(tick(number as u32), started);
        }
        let by_when: Vec<_> = (1..=6).map(|number| starts.by_when(number)).collect();
        let [second, fourth] = [Some(tick(1)), Some(tick(3))];
        assert_eq!(by_when, [second, second, fourth, fourth, fourth, None]);
    }

    #[test]
    fn a_start_that_is_not_kept_is_younger_and_never_older() {
        let began = Instant::now();
        let mut starts = Starts::default();
        for started in 1..=REMEMBERED as u64 + 7 {
            starts.note(began + Duration::from_secs(started), started);
        }
        assert_eq!(starts.0.len(), REMEMBERED);
        assert_eq!(starts.by_when(1), Some(began + Duration::from_secs(8)));
    }
}

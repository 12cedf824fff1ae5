//! How old those are that no thread has polled yet.
//!
//! Such a session stands in no table; only its task knows when it was born. But if *s* sessions of a place
//! were started and *k* of them are such, then the oldest of these is at least as old as number
//! *s - k + 1*, and when that one was started is known to a tick from how the count has grown.

use std::collections::VecDeque;

use tokio::time::Instant;

/// How many sessions of one place had been started by when.
#[derive(Debug, Default)]
pub(super) struct Starts(VecDeque<(Instant, u64)>);

/// How many changes are remembered: a minute's, if some are started in every tick. What was started
/// earlier passes for as young as the first of them.
const REMEMBERED: usize = 600;

impl Starts {
    /// So many have been started by now.
    pub(super) fn note(&mut self, now: Instant, started: u64) {
        if self.0.back().is_some_and(|&(_, before)| before == started) {
            return;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((now, started));
    }

    /// By when this one was started, the first being number one. None if it was not noted yet.
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
    fn what_is_forgotten_passes_for_younger_and_never_for_older() {
        let began = Instant::now();
        let mut starts = Starts::default();
        for started in 1..=REMEMBERED as u64 + 7 {
            starts.note(began + Duration::from_secs(started), started);
        }
        assert_eq!(starts.0.len(), REMEMBERED);
        assert_eq!(starts.by_when(1), Some(began + Duration::from_secs(8)));
    }
}

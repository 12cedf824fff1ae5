//! Which held threads are worth a word while the program runs.

use std::collections::HashMap;
use std::time::Duration;

use super::event::Event;
use super::location::Location;
use super::time::Time;

/// A site that holds threads again and again is reported at most this often.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// A poll that has held its thread for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldThread {
    pub(crate) thread: u32,
    /// The same number as before is the same poll.
    pub(crate) poll: u64,
    /// What it is, for people.
    pub(crate) what: String,
    pub(crate) place: Location,
    pub(crate) since: Time,
}

/// What was reported of held threads.
#[derive(Debug)]
pub(crate) struct BlockedThreads {
    /// From when on a held thread is reported; `None` never.
    after: Option<Duration>,
    /// Those that are reported and not free again, by thread.
    reported: HashMap<u32, HeldThread>,
    /// When each site was reported last.
    sites: HashMap<Location, Time>,
    /// How many were held for that long at the last look, reported or not.
    count: u64,
}

impl BlockedThreads {
    pub(crate) fn new(after: Option<Duration>) -> Self {
        Self { after, reported: HashMap::new(), sites: HashMap::new(), count: 0 }
    }

    /// How many threads were blocked at the last look, whether their site was reported or not.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Takes note of every thread that is held at this moment, and returns what there is to report.
    pub(crate) fn look(&mut self, now: Time, held: &[HeldThread]) -> Vec<Event> {
        let Some(after) = self.after else { return Vec::new() };
        let mut events = Vec::new();
        self.reported.retain(|_, known| {
            let is_held = held.iter().any(|held| (held.thread, held.poll) == (known.thread, known.poll));
            if !is_held {
                events.push(Event::ThreadFreed {
                    what: known.what.clone(),
                    place: known.place,
                    after: now.since(known.since),
                });
            }
            is_held
        });
        self.sites.retain(|_, last| now.since(*last) < AGAIN_AFTER);
        self.count = 0;
        for held in held.iter().filter(|held| now.since(held.since) >= after) {
            self.count += 1;
            if self.reported.contains_key(&held.thread) || self.sites.contains_key(&held.place) {
                continue;
            }
            self.sites.insert(held.place, now);
            self.reported.insert(held.thread, held.clone());
            let since = now.since(held.since);
            events.push(Event::ThreadBlocked { what: held.what.clone(), place: held.place, since });
        }
        events
    }
}

/// What was seen and reported of workers that run code which canstop does not know.
#[derive(Debug)]
pub(crate) struct HeldWorkers {
    /// From when on they are reported while the program runs; `None` never.
    after: Option<Duration>,
    /// Since when each of those that are held now is, the first one first. Workers are not distinguished: there
    /// were at least so many since then.
    since: Vec<Time>,
    reported: Option<Time>,
}

impl HeldWorkers {
    pub(crate) fn new(after: Option<Duration>) -> Self {
        Self { after, since: Vec::new(), reported: None }
    }

    /// Takes note of how many workers are held at this moment, and returns what there is to report. Those that are
    /// new were held already at the look before, at `before`.
    pub(crate) fn look(&mut self, before: Time, now: Time, held: usize) -> Option<Event> {
        self.since.resize(held, before);
        let event = self.held_for(now, self.after?)?;
        if self.reported.is_some_and(|last| now.since(last) < AGAIN_AFTER) {
            return None;
        }
        self.reported = Some(now);
        Some(event)
    }

    /// Those that have been held for this long.
    pub(crate) fn held_for(&self, now: Time, least: Duration) -> Option<Event> {
        let workers = self.since.iter().filter(|&&since| now.since(since) >= least).count() as u64;
        let first = *self.since.first()?;
        (workers > 0).then(|| Event::WorkersHeld { workers, since: now.since(first) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::after_start(Duration::from_millis(milliseconds))
    }

    fn held(thread: u32, poll: u64, line: u32, since: u64) -> HeldThread {
        let place = Location { file: "main.rs", line };
        HeldThread { thread, poll, what: format!("session {line}"), place, since: at(since) }
    }

    fn threads() -> BlockedThreads {
        BlockedThreads::new(Some(Duration::from_secs(1)))
    }

    #[test]
    fn a_thread_is_reported_when_it_is_blocked_and_when_it_is_free() {
        let mut threads = threads();
        assert_eq!(threads.look(at(999), &[held(0, 7, 1, 0)]), []);
        assert_eq!(threads.count(), 0);
        let place = Location { file: "main.rs", line: 1 };
        let what = || "session 1".to_owned();
        let since = Duration::from_secs(1);
        assert_eq!(threads.look(at(1_000), &[held(0, 7, 1, 0)]), [Event::ThreadBlocked { what: what(), place, since }]);
        assert_eq!(threads.look(at(5_000), &[held(0, 7, 1, 0)]), [], "it is said once");
        assert_eq!(threads.count(), 1);
        let after = Duration::from_secs(6);
        assert_eq!(threads.look(at(6_000), &[]), [Event::ThreadFreed { what: what(), place, after }]);
        assert_eq!(threads.look(at(6_100), &[]), []);
    }

    #[test]
    fn the_next_poll_on_the_same_thread_is_another_one() {
        let mut threads = threads();
        threads.look(at(1_000), &[held(0, 7, 1, 0)]);
        let events = threads.look(at(2_000), &[held(0, 8, 2, 1_000)]);
        assert!(matches!(events[..], [Event::ThreadFreed { .. }, Event::ThreadBlocked { .. }]), "{events:?}");
    }

    #[test]
    fn a_site_is_reported_once_in_ten_seconds_however_many_threads_it_holds() {
        let mut threads = threads();
        let mut blocked = 0;
        for now in (1_000..31_000).step_by(100) {
            // Each poll lasts 2 s, on two threads.
            let poll = now / 2_000;
            let held = [held(0, poll, 1, poll * 2_000), held(1, poll, 1, poll * 2_000)];
            let events = threads.look(at(now), &held);
            blocked += events.iter().filter(|event| matches!(event, Event::ThreadBlocked { .. })).count();
        }
        assert_eq!(blocked, 3, "at 1, 11 and 21 s");
    }

    #[test]
    fn a_site_is_reported_again_after_exactly_ten_seconds() {
        for (again, reports) in [(10_999, 0), (11_000, 1)] {
            let mut threads = threads();
            threads.look(at(1_000), &[held(0, 7, 1, 0)]);
            threads.look(at(2_000), &[]);
            assert_eq!(threads.look(at(again), &[held(0, 8, 1, 2_000)]).len(), reports);
        }
    }

    #[test]
    fn workers_are_reported_once_in_ten_seconds_while_they_are_held() {
        let mut workers = HeldWorkers::new(Some(Duration::from_secs(1)));
        let mut reported = Vec::new();
        for now in (100..=12_000).step_by(100) {
            let held = if now < 3_000 { 1 } else { 2 };
            reported.extend(workers.look(at(now - 100), at(now), held));
        }
        let since = |milliseconds| Duration::from_millis(milliseconds);
        let first = Event::WorkersHeld { workers: 1, since: since(1_000) };
        assert_eq!(reported, [first, Event::WorkersHeld { workers: 2, since: since(11_000) }]);
    }

    #[test]
    fn a_worker_that_comes_back_begins_anew() {
        let mut workers = HeldWorkers::new(Some(Duration::from_secs(1)));
        for now in (100..=900).step_by(100) {
            assert_eq!(workers.look(at(now - 100), at(now), 1), None);
        }
        assert_eq!(workers.look(at(900), at(1_000), 0), None);
        assert_eq!(workers.look(at(1_000), at(1_100), 1), None);
        assert_eq!(workers.held_for(at(1_100), Duration::from_millis(200)), None);
        let since = Duration::from_millis(300);
        assert_eq!(
            workers.held_for(at(1_300), Duration::from_millis(200)),
            Some(Event::WorkersHeld { workers: 1, since })
        );
    }

    #[test]
    fn nothing_is_reported_where_it_is_turned_off() {
        assert_eq!(HeldWorkers::new(None).look(at(0), at(60_000), 3), None);
        assert_eq!(BlockedThreads::new(None).look(at(60_000), &[held(0, 7, 1, 0)]), []);
    }
}

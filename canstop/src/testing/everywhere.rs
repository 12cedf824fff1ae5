//! Runs a test once for each poll of its services and sessions, with a stop injected after that poll.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::{ExitCode, Termination};
use std::thread;

use super::clock::Clock;
use super::harness::Harness;
use super::injection::{Injection, Polls};
use super::supervisor::Supervisor;
use crate::failure::catch;
use crate::machine::{Exit, Jitter, Report};

impl Harness {
    /// Finds the `.await` at which a stop loses work: runs a test once to count the polls of its services and
    /// sessions, then once for each of these polls, with a stop request injected right after it. It is
    /// `#[canstop::test(stop = "everywhere")]` without the macro.
    ///
    /// Everything that the stop request causes happens before the next poll. The polls after the test's own
    /// stop request do not count.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use canstop::testing::Harness;
    /// use canstop::{Lifecycle, Service};
    /// use tokio::sync::{Mutex, mpsc};
    ///
    /// Harness::new().stop_everywhere(async |mut sup| {
    ///     let stored = Arc::new(Mutex::new(Vec::new()));
    ///     let (queue, items) = mpsc::unbounded_channel();
    ///     let (items, store) = (Arc::new(Mutex::new(items)), stored.clone());
    ///     sup.start(Service::new("writer", move |_: Lifecycle| {
    ///         let (items, store) = (items.clone(), store.clone());
    ///         async move {
    ///             // It ends when all senders are gone, so a stop loses nothing.
    ///             while let Some(item) = items.lock().await.recv().await {
    ///                 store.lock().await.push(item);
    ///             }
    ///         }
    ///     }));
    ///     for item in 0..5 {
    ///         queue.send(item).unwrap();
    ///     }
    ///     drop(queue);
    ///     assert!(sup.stop().await.is_clean());
    ///     assert_eq!(*stored.lock().await, [0, 1, 2, 3, 4]);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If the test fails after one of these stops: if it panics, returns an error, leaves a session behind, or if
    /// the program's [exit](crate::Report::exit) is graver than without the injection. The message names the
    /// first such poll: its number, the service or session, its place, and the variable that runs it alone,
    /// as in `CANSTOP_STOP_AT=17`.
    ///
    /// Also if the harness has the real clock, on which no two runs have the same polls.
    pub fn stop_everywhere<T: Termination>(self, test: impl AsyncFn(Supervisor) -> T) {
        search(&self, Injection::Stop, test);
    }

    /// As [`stop_everywhere`](Self::stop_everywhere), but what is injected is the end of the grace: whatever
    /// still runs after that poll is abandoned. It is `#[canstop::test(abandon = "everywhere")]` without the
    /// macro, and `CANSTOP_ABANDON_AT` runs one poll alone.
    ///
    /// The polls after the test's own stop request count as well. Abandoned work is no fault here: the test
    /// asserts what must be true even then, such as that no acknowledged write is lost.
    ///
    /// # Panics
    ///
    /// As [`stop_everywhere`](Self::stop_everywhere), except for the program's exit.
    pub fn abandon_everywhere<T: Termination>(self, test: impl AsyncFn(Supervisor) -> T) {
        search(&self, Injection::Abandon, test);
    }
}

fn search<T: Termination>(harness: &Harness, injection: Injection, test: impl AsyncFn(Supervisor) -> T) {
    assert!(
        harness.clock == Clock::Paused,
        "a test that is {} everywhere needs the paused clock, on which each run has the same polls",
        injection.done()
    );
    let search = Search { harness, injection, test: &test };
    if let Some(after) = asked_for(injection) {
        return search.run_one(after);
    }
    let (exit, total) = search.count();
    let limit = u64::try_from(harness.limit).unwrap_or(u64::MAX);
    let picks = picks(total, limit, harness.seed);
    let mut progress = Progress::new(injection, picks.len());
    let mut before = 0;
    for after in picks {
        progress.next();
        if let Err(fault) = search.attempt(after, exit) {
            // Of the polls that the sample left out, one may be the first to fail.
            let left_out = (before + 1).max(after.saturating_sub(limit))..after;
            let earlier = left_out.into_iter().find_map(|after| search.attempt(after, exit).err());
            drop(progress);
            panic!("{}", earlier.unwrap_or(fault).text(injection, total));
        }
        before = after;
    }
}

/// The poll that the environment asks for.
fn asked_for(injection: Injection) -> Option<u64> {
    let variable = injection.variable();
    let text = env::var(variable).ok()?;
    match text.parse() {
        Ok(after) if after > 0 => Some(after),
        _ => panic!("{variable} is the number of a poll, from 1; it is `{text}`"),
    }
}

struct Search<'a, F> {
    harness: &'a Harness,
    injection: Injection,
    test: &'a F,
}

/// A poll after which the test fails.
struct Fault {
    after: u64,
    at: String,
    reason: String,
}

impl<T: Termination, F: AsyncFn(Supervisor) -> T> Search<'_, F> {
    /// Runs the test without an injection. Returns how it exits, and how many polls it has.
    fn count(&self) -> (Exit, u64) {
        let polls = Polls::new(self.injection, None);
        let (output, report) = self.run(&polls);
        assert!(is_success(output), "the test fails without a stop");
        let total = polls.count();
        assert!(total > 0, "the test polls no service and no session, so there is nowhere to stop it");
        (report.exit, total)
    }

    /// Runs the test without an injection and with one, and lets its panic through.
    fn run_one(&self, after: u64) {
        let (exit, _) = self.count();
        let polls = Polls::new(self.injection, Some(after));
        let (output, report) = self.run(&polls);
        let Some(at) = polls.injected_at() else { panic!("the test has only {} polls", polls.count()) };
        if let Err(reason) = self.judge(output, &report, exit) {
            panic!("{} after {at}: {reason}", self.injection.done());
        }
    }

    fn attempt(&self, after: u64, exit: Exit) -> Result<(), Fault> {
        let polls = Polls::new(self.injection, Some(after));
        let judged = catch(|| self.run(&polls)).and_then(|(output, report)| self.judge(output, &report, exit));
        // A test that is not the same at each run may be over before.
        let at = || polls.injected_at().unwrap_or_else(|| "the end of the test".to_owned());
        judged.map_err(|reason| Fault { after, at: at(), reason })
    }

    fn run(&self, polls: &Polls) -> (T, Report) {
        self.harness.clone().run_counted(polls, self.test)
    }

    /// Abandoned work is no fault where the grace was made to end.
    fn judge(&self, output: T, report: &Report, exit: Exit) -> Result<(), String> {
        if !is_success(output) {
            return Err("it returns an error".to_owned());
        }
        if self.injection == Injection::Stop && report.exit > exit {
            return Err(format!("the exit is {}\n{report}", report.exit));
        }
        Ok(())
    }
}

fn is_success(output: impl Termination) -> bool {
    output.report() == ExitCode::SUCCESS
}

impl Fault {
    fn text(&self, injection: Injection, total: u64) -> String {
        let Self { after, at, reason } = self;
        let (done, variable) = (injection.done(), injection.variable());
        let name = thread::current().name().unwrap_or("..").to_owned();
        format!(
            "{done} after poll {after} of {total}, the test fails: {reason}\n\
             poll {after} is {at}: the work is lost at the `.await` where that poll ends\n\
             to run it alone: {variable}={after} cargo test -- --exact {name}"
        )
    }
}

/// The polls to run, in order: all, or one from each of `limit` equal parts.
fn picks(total: u64, limit: u64, seed: u64) -> Vec<u64> {
    let limit = limit.clamp(1, total);
    let mut random = Jitter::seeded(seed);
    let pick = |part: u64| {
        let (from, to) = (part * total / limit, (part + 1) * total / limit);
        from + 1 + (random.next_fraction() * (to - from) as f64) as u64
    };
    (0..limit).map(pick).collect()
}

/// A line on a terminal that shows how far the search is.
struct Progress {
    injection: Injection,
    done: usize,
    total: usize,
    is_shown: bool,
}

impl Progress {
    const WIDTH: usize = 30;

    fn new(injection: Injection, total: usize) -> Self {
        Self { injection, done: 0, total, is_shown: io::stderr().is_terminal() }
    }

    fn next(&mut self) {
        self.done += 1;
        if self.is_shown {
            let Self { injection, done, total, .. } = self;
            let full = *done * Self::WIDTH / (*total).max(1);
            let bar = format!("{}{}", "#".repeat(full), "-".repeat(Self::WIDTH - full));
            // Not `eprint`, which a test harness keeps until the test has ended.
            let _ = write!(io::stderr(), "\r{} everywhere [{bar}] {done} of {total}", injection.done());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = writeln!(io::stderr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_poll_is_picked_within_the_limit() {
        assert_eq!(picks(5, 10, 3), [1, 2, 3, 4, 5]);
        assert_eq!(picks(5, 5, 3), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn beyond_the_limit_each_part_has_one() {
        for seed in 0..100 {
            let picks = picks(1_003, 10, seed);
            assert_eq!(picks.len(), 10);
            for (part, pick) in picks.iter().enumerate() {
                let part = part as u64;
                assert!((part * 1_003 / 10 + 1..=(part + 1) * 1_003 / 10).contains(pick), "{picks:?}");
            }
        }
    }
}

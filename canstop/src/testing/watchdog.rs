//! Ends a test that hangs on the paused clock.
//!
//! Timers run on the paused clock, which does not move while the blocking pool works. So the limit is in real time,
//! and a thread outside the runtime enforces it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::Notify;

use super::activity::Activity;
use crate::session::{Kind, Supervisor, Watch, snapshot_sessions};

/// The exit code of a test process that failed.
const TEST_FAILED: i32 = 101;

/// How often the watchdog checks.
const LOOKS: u32 = 50;

/// Watches one test until it is dropped.
#[derive(Debug)]
pub(super) struct Watchdog {
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the watchdog reads and notifies.
pub(super) struct Watched {
    pub(super) supervisor: &'static Supervisor,
    pub(super) activity: Arc<Activity>,
    pub(super) limit: Duration,
    /// Notified when the test hangs and its thread can fail it.
    pub(super) hangs: Arc<Notify>,
}

impl Watchdog {
    /// Watches the test of the calling thread.
    pub(super) fn start(watched: Watched) -> Self {
        let (end, ended) = mpsc::channel();
        let cpu = CpuTime::of_this_thread();
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let watch = move || watched.watch(&ended, &cpu, &name);
        let thread = thread::Builder::new().name("canstop-watchdog".to_owned()).spawn(watch);
        let thread = thread.unwrap_or_else(|error| panic!("cannot watch the test: {error}"));
        Self { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Watched {
    fn watch(&self, ended: &mpsc::Receiver<()>, cpu: &CpuTime, test: &str) {
        let interval = (self.limit / LOOKS).max(Duration::from_millis(1));
        let limit = LOOKS.min(u32::try_from(self.limit.as_millis()).unwrap_or(u32::MAX)).max(1);
        let (mut without_progress, mut blocked) = (0, 0);
        let (mut wakes, mut parks, mut used) = (self.activity.wakes(), self.activity.parks(), cpu.used());
        // Checks are counted instead of comparing times: a process that was suspended does not hang.
        while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
            let now = (self.activity.wakes(), self.activity.parks(), cpu.used());
            let schedules = now.1 != parks || self.activity.parked() > 0;
            without_progress = if schedules && now.0 == wakes { without_progress + 1 } else { 0 };
            let computes = match (now.2, used) {
                (Some(now), Some(before)) => now.saturating_sub(before) > interval / 10,
                _ => true,
            };
            blocked = if schedules || computes { 0 } else { blocked + 1 };
            (wakes, parks, used) = now;
            if without_progress >= limit {
                self.hangs.notify_one();
            }
            if blocked >= limit {
                self.end_process(test);
            }
        }
    }

    /// The test's thread is blocked, so nothing can fail this one test.
    fn end_process(&self, test: &str) -> ! {
        let limit = self.limit;
        let text = format!(
            "\nthe test `{test}` failed: its thread is blocked for {limit:?}, and with it its services, which run on the \
             same thread. {}\n",
            advice(self.supervisor, 0)
        );
        // Not `eprintln`, which a test harness keeps until the test has ended.
        let _ = io::stderr().write_all(text.as_bytes());
        std::process::exit(TEST_FAILED)
    }
}

/// Names what a test on the paused clock waits for, and what to do about it.
pub(super) fn advice(supervisor: &'static Supervisor, pool_threads: usize) -> String {
    let mut text = "It waits for:\n".to_owned();
    text.push_str(&names_of_work(supervisor, pool_threads));
    text.push_str(
        "The paused clock does not move, or jumps, meanwhile. Let that work end, or run the test on a real clock: \
         `#[canstop::test(clock = \"real\")]`, which is `Harness::clock(Clock::Real)`.",
    );
    text
}

/// A line for everything that the test may wait for.
pub(super) fn names_of_work(supervisor: &'static Supervisor, pool_threads: usize) -> String {
    let owners: Vec<_> = supervisor.scopes().iter().map(|scope| scope.owner).collect();
    let sessions = snapshot_sessions(supervisor, &Watch::default(), &owners, tokio::time::Instant::now());
    let mut text = String::new();
    let mut blocking = 0;
    for group in &sessions {
        let kind = if group.kind == Kind::Blocking { "blocking session" } else { "session" };
        blocking += if group.kind == Kind::Blocking { group.count } else { 0 };
        let (place, function) = (group.site.location(), (group.site.function)());
        let _ = writeln!(text, "  {} x {kind} at {place} in {function}", group.count);
    }
    let raw = u64::try_from(pool_threads).unwrap_or(u64::MAX).saturating_sub(blocking);
    if raw > 0 {
        let _ = writeln!(text, "  {raw} x a raw `spawn_blocking`, or what uses it, as `tokio::fs` does");
    }
    if text.is_empty() {
        text.push_str("  a thread or a socket that is not the runtime's, or an event that never comes\n");
    }
    text
}

/// Reads how long a thread has computed.
struct CpuTime(Option<String>);

impl CpuTime {
    fn of_this_thread() -> Self {
        let this = std::fs::read_link("/proc/thread-self").ok();
        Self(this.map(|this| format!("/proc/{}/stat", this.display())))
    }

    /// `None` if the system does not provide it.
    fn used(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(self.0.as_ref()?).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        // Linux reports hundredths of a second to programs, whatever its own tick is.
        Some(Duration::from_millis(ticks * 10))
    }
}

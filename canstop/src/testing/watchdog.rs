//! Ends a test that hangs on the paused clock.
//!
//! Timers run on the paused clock, which does not move while the blocking pool works, nor while a task is ready. So the
//! limit is in real time, and a thread outside the runtime enforces it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::activity::Activity;
use super::injection::described;
use crate::session::{Kind, Supervisor, Watch, hook_polls, snapshot_sessions};

/// The exit code of a test process that failed.
const TEST_FAILED: i32 = 101;

const REAL_CLOCK: &str = "a real clock: `#[canstop::test(clock = \"real\")]`, which is `Harness::clock(Clock::Real)`";

/// How often the watchdog checks.
const LOOKS: u32 = 50;
/// For how long a busy runtime is observed, to name what it polls.
const BUSY_FOR: Duration = Duration::from_millis(100);
/// How many names a message has at most.
const NAMES: usize = 20;

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
        let stat = ThreadStat::of_this_thread();
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let watch = move || watched.watch(&ended, &stat, &name);
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

/// What one check finds.
struct Look {
    /// How often the test's body was woken.
    wakes: u64,
    /// How often the runtime had nothing to run.
    parks: u64,
    /// How often it has answered since then.
    answers: u64,
    /// The test's thread, if the system provides its state.
    thread: Option<ThreadState>,
}

impl Watched {
    fn watch(&self, ended: &mpsc::Receiver<()>, stat: &ThreadStat, test: &str) {
        let interval = (self.limit / LOOKS).max(Duration::from_millis(1));
        let limit = LOOKS.min(u32::try_from(self.limit.as_millis()).unwrap_or(u32::MAX)).max(1);
        let (mut without_progress, mut blocked) = (0, 0);
        let mut before = self.look(stat);
        // Checks are counted instead of comparing times: a process that was suspended does not hang.
        while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
            let now = self.look(stat);
            let is_idle = now.parks != before.parks || self.activity.parked() > 0;
            // It polls one task after the other.
            let is_busy = now.answers != before.answers;
            let computes = match (&now.thread, &before.thread) {
                (Some(now), Some(before)) => now.computed.saturating_sub(before.computed) > interval / 10,
                _ => true,
            };
            if now.wakes != before.wakes {
                without_progress = 0;
            } else if is_idle || is_busy {
                without_progress += 1;
            } else if computes {
                // It polls the same task as before.
                without_progress = 0;
            }
            // On a loaded machine it may wait for a processor for long.
            let is_runnable = now.thread.as_ref().is_none_or(|thread| thread.is_runnable);
            blocked = if is_idle || is_busy || computes || is_runnable { 0 } else { blocked + 1 };
            if !is_idle {
                self.activity.ask();
            }
            before = now;
            if without_progress >= limit {
                self.hangs.notify_one();
            }
            if blocked >= limit {
                self.end_process(test);
            }
        }
    }

    fn look(&self, stat: &ThreadStat) -> Look {
        Look {
            wakes: self.activity.wakes(),
            parks: self.activity.parks(),
            answers: self.activity.answers(),
            thread: stat.read(),
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
    let _ = write!(
        text,
        "The paused clock does not move, or jumps, meanwhile. Let that work end, or run the test on {REAL_CLOCK}."
    );
    text
}

/// Says that a runtime always has something to run, and what to do about it.
pub(super) fn advice_for_busy(names: &str) -> String {
    format!(
        "Its runtime always has a task to poll:\n{names}The paused clock moves only when no task is ready, so no timer \
         fires and no grace ends. Let these tasks wait for a timer, or run the test on {REAL_CLOCK}."
    )
}

/// A line for everything that the calling runtime polls in a short time.
pub(super) async fn names_of_busy_work() -> String {
    let names = Rc::new(RefCell::new(BTreeSet::new()));
    let polled = Rc::clone(&names);
    let hooked = hook_polls(move |code| {
        if matches!(code.kind, Kind::Service | Kind::Session) {
            polled.borrow_mut().insert(described(&code));
        }
    });
    let began = Instant::now();
    while began.elapsed() < BUSY_FOR {
        tokio::task::yield_now().await;
    }
    drop(hooked);
    let names = names.borrow();
    let mut text = String::new();
    for name in names.iter().take(NAMES) {
        let _ = writeln!(text, "  {name}");
    }
    if names.len() > NAMES {
        let _ = writeln!(text, "  and {} more", names.len() - NAMES);
    }
    if names.is_empty() {
        text.push_str("  a task that canstop does not see, as one of `tokio::spawn`\n");
    }
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

/// Reads the state of a thread.
struct ThreadStat(Option<String>);

struct ThreadState {
    /// It computes, or would if a processor were free.
    is_runnable: bool,
    /// For how long it has computed.
    computed: Duration,
}

impl ThreadStat {
    fn of_this_thread() -> Self {
        let this = std::fs::read_link("/proc/thread-self").ok();
        Self(this.map(|this| format!("/proc/{}/stat", this.display())))
    }

    /// `None` if the system does not provide it.
    fn read(&self) -> Option<ThreadState> {
        let stat = std::fs::read_to_string(self.0.as_ref()?).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let is_runnable = fields.next()? == "R";
        let mut fields = fields.skip(10);
        let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        // Linux reports hundredths of a second to programs, whatever its own tick is.
        Some(ThreadState { is_runnable, computed: Duration::from_millis(ticks * 10) })
    }
}

//! Running a test's body with a supervisor.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::activity::Activity;
use super::clock::Clock;
use super::injection::Polls;
use super::plane::Plane;
use super::settle::{Settle, WORKERS};
use super::supervisor::{Ask, Supervisor};
use super::watchdog::{Watchdog, Watched, advice, advice_for_busy, names_of_busy_work, names_of_work};
use crate::control::Settings;
use crate::failure::install_hook;
use crate::machine::{Allowance, Exit, Report, StopSources};
use crate::observe::Status;
use crate::session;
use crate::settings::LogLevel;

/// Runs a test as [`#[canstop::test]`](macro@crate::test) does, without the macro.
///
/// ```
/// use std::time::Duration;
/// use canstop::testing::Harness;
///
/// let report = Harness::new().grace(Duration::from_secs(2)).run(async |mut sup| {
///     canstop::spawn_session!(async { tokio::time::sleep(Duration::from_secs(1)).await });
///     sup.stop().await
/// });
/// assert_eq!((report.drained, report.duration.as_secs()), (1, 1));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a harness does nothing until it runs a test"]
pub struct Harness {
    grace: Duration,
    drain_delay: Duration,
    pub(super) seed: u64,
    pub(super) clock: Clock,
    hang_timeout: Duration,
    pub(super) limit: usize,
}

impl Harness {
    /// A harness with five seconds of grace, on the paused clock.
    pub fn new() -> Self {
        Self {
            grace: Duration::from_secs(5),
            drain_delay: Duration::ZERO,
            seed: 0,
            clock: Clock::default(),
            hang_timeout: Duration::from_secs(10),
            limit: 1_000,
        }
    }

    /// The time from a stop request to the end, as in `#[canstop::main]`.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The first part of the grace, in which everything still serves, as in `#[canstop::main]`.
    pub fn drain_delay(mut self, drain_delay: Duration) -> Self {
        self.drain_delay = drain_delay;
        self
    }

    /// The seed of the pauses before restarts: the same seed gives the same pauses.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The clock of the test and its services; [`Clock::Paused`] unless set.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How much real time a test on the paused clock may take without progress, and how long any test
    /// waits at its end for work on the blocking pool; ten seconds unless set. `Duration::MAX` is no limit.
    ///
    /// Progress is that the test's body is woken, or that a task computes without an `.await`.
    pub fn hang_timeout(mut self, hang_timeout: Duration) -> Self {
        self.hang_timeout = hang_timeout;
        self
    }

    /// How often [`stop_everywhere`](Self::stop_everywhere) and
    /// [`abandon_everywhere`](Self::abandon_everywhere) run a test at most; 1,000 times unless set. Of a test
    /// with more polls they run a sample, which the [`seed`](Self::seed) selects.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Runs a test, and stops what it has not stopped itself.
    ///
    /// # Panics
    ///
    /// If the test does, if a session or other work on the blocking pool outlives it, if the stop at its
    /// end abandons something or fails, or if it makes no progress for the [`hang_timeout`](Self::hang_timeout).
    pub fn run<T>(self, test: impl AsyncFnOnce(Supervisor) -> T) -> T {
        self.run_to_report(None, test).0
    }

    /// Runs a test whose polls are counted.
    pub(super) fn run_counted<T>(self, polls: &Polls, test: impl AsyncFnOnce(Supervisor) -> T) -> (T, Report) {
        self.run_to_report(Some(polls), test)
    }

    fn run_to_report<T>(self, polls: Option<&Polls>, test: impl AsyncFnOnce(Supervisor) -> T) -> (T, Report) {
        install_hook();
        let (supervisor, inbox) = session::Supervisor::new();
        let activity = Arc::new(Activity::default());
        let runtime = self.runtime(supervisor, &activity, polls.is_some());
        let _hooked = polls.map(|polls| polls.observe(supervisor));
        supervisor.attach_data_plane(runtime.handle());
        let (ask, asks) = mpsc::unbounded_channel();
        let (report, ended) = watch::channel(None);
        let held = Supervisor::new(supervisor, ask.clone(), Arc::clone(&activity), ended.clone());
        let allowance = Allowance { grace: self.grace, drain_delay: self.drain_delay };
        let settle = Settle { supervisor, activity: Arc::clone(&activity), clock: self.clock };
        let settings =
            Settings { allowance, sources: StopSources::default(), log: LogLevel::default(), seed: self.seed };
        let plane = Plane { supervisor, settings, inbox, asks, settle, report };
        let abandons = polls.is_some_and(Polls::abandons);
        let stage = Stage { harness: self, abandons, supervisor, activity, ask, ended };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _root = supervisor.root().enter_data_plane();
            match stage.harness.clock {
                Clock::Paused => stage.on_paused_clock(&runtime, plane, held, test),
                Clock::Real => stage.on_real_clock(&runtime, plane, held, test),
            }
        }));
        match outcome {
            Ok(output) => {
                stage.shut_down(runtime);
                let report = stage.ended.borrow().clone();
                (output, report.expect("the test has ended, and its program before it"))
            }
            Err(panic) => {
                // A hanging drop would keep the test from failing.
                runtime.shutdown_background();
                supervisor.detach_data_plane();
                resume_unwind(panic)
            }
        }
    }

    fn runtime(&self, supervisor: &'static session::Supervisor, activity: &Arc<Activity>, counted: bool) -> Runtime {
        let mut builder = match self.clock {
            Clock::Paused => {
                let mut builder = Builder::new_current_thread();
                // A thread that is still alive later is busy.
                builder.start_paused(true).thread_keep_alive(Duration::from_millis(50));
                builder
            }
            Clock::Real => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(WORKERS);
                builder
            }
        };
        if counted {
            // After each task the control plane gets its turn, if it was woken.
            builder.event_interval(1);
        }
        activity.observe(builder.enable_all(), supervisor, self.clock);
        builder.build().unwrap_or_else(|error| panic!("the test's runtime cannot be built: {error}"))
    }
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

/// The state that the parts of one test share.
struct Stage {
    harness: Harness,
    /// The grace is made to end: work that is left behind is no fault.
    abandons: bool,
    supervisor: &'static session::Supervisor,
    activity: Arc<Activity>,
    ask: mpsc::UnboundedSender<Ask>,
    ended: watch::Receiver<Option<Report>>,
}

impl Stage {
    /// Everything runs on the calling thread.
    fn on_paused_clock<T>(
        &self,
        runtime: &Runtime,
        plane: Plane,
        held: Supervisor,
        test: impl AsyncFnOnce(Supervisor) -> T,
    ) -> T {
        let hangs = Arc::new(Notify::new());
        let watchdog = Watchdog::start(Watched {
            supervisor: self.supervisor,
            activity: Arc::clone(&self.activity),
            limit: self.harness.hang_timeout,
            hangs: Arc::clone(&hangs),
        });
        let outcome = runtime.block_on(async {
            tokio::select! {
                // The test is polled first, so the control plane acts on its requests at once.
                biased;
                output = self.play(held, test) => Ok(output),
                () = plane.run() => unreachable!("the control plane of a test waits at its end"),
                never = self.activity.answer() => match never {},
                () = hangs.notified() => Err(self.explain_hang().await),
            }
        });
        // The panic may wait long for those of other tests that write their backtraces.
        drop(watchdog);
        outcome.unwrap_or_else(|why| {
            panic!("the test made no progress for {:?} of real time. {why}", self.harness.hang_timeout)
        })
    }

    async fn explain_hang(&self) -> String {
        if self.activity.is_busy() {
            advice_for_busy(&names_of_busy_work().await)
        } else {
            advice(self.supervisor, self.activity.threads())
        }
    }

    /// The control plane has its own thread, as in a program.
    fn on_real_clock<T>(
        &self,
        runtime: &Runtime,
        plane: Plane,
        held: Supervisor,
        test: impl AsyncFnOnce(Supervisor) -> T,
    ) -> T {
        let control = Builder::new_current_thread().enable_all().build();
        let control = control.unwrap_or_else(|error| panic!("the control plane's runtime cannot be built: {error}"));
        let (over, is_over) = oneshot::channel::<()>();
        let run = move || {
            control.block_on(async {
                tokio::select! {
                    () = plane.run() => {}
                    // Dropped with the test.
                    _ = is_over => {}
                }
            });
        };
        thread::scope(|scope| {
            let spawned = thread::Builder::new().name("canstop".to_owned());
            let spawned = spawned.spawn_scoped(scope, run);
            spawned.unwrap_or_else(|error| panic!("the control plane has no thread: {error}"));
            let _over = over;
            runtime.block_on(self.play(held, test))
        })
    }

    /// Runs the test's body, then stops what it has not stopped.
    async fn play<T>(&self, held: Supervisor, test: impl AsyncFnOnce(Supervisor) -> T) -> T {
        let output = {
            let mut body = pin!(test(held));
            poll_fn(|cx| {
                let waker = self.activity.count_wakes(cx.waker().clone());
                let poll = body.as_mut().poll(&mut Context::from_waker(&waker));
                if poll.is_pending() && self.harness.clock == Clock::Real {
                    self.activity.settle(self.supervisor);
                }
                poll
            })
            .await
        };
        let was_stopped = self.ended.borrow().is_some();
        let root = self.supervisor.root();
        let was_stopping = root.is_stopping(root.run_id());
        self.stop().await;
        if let Some(report) = self.ended.borrow().as_ref().filter(|_| !was_stopped && !self.abandons) {
            assert!(report.stragglers.is_empty(), "the stop at the end of the test abandoned work\n{report}");
            assert!(was_stopping || report.exit != Exit::Failed, "the program failed at the end of the test\n{report}");
        }
        let left = Status::of(self.supervisor).sessions;
        let left: Vec<_> = left.iter().map(ToString::to_string).collect();
        assert!(left.is_empty(), "sessions outlive the test that spawned them: {}", left.join("; "));
        output
    }

    async fn stop(&self) {
        self.activity.request();
        // This has no effect after the end.
        let _ = self.ask.send(Ask::Stop { reason: "the test is over" });
        let mut ended = self.ended.clone();
        ended.wait_for(Option::is_some).await.expect("the control plane reports before it ends");
        // Abandoned work is dropped at its next poll. The paused clock only moves after all of it was dropped.
        for _ in 0..if self.harness.clock == Clock::Paused { 1 } else { 100 } {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if Status::of(self.supervisor).sessions.is_empty() {
                break;
            }
        }
    }

    fn shut_down(&self, runtime: Runtime) {
        let limit = self.harness.hang_timeout;
        runtime.shutdown_timeout(limit);
        self.supervisor.detach_data_plane();
        let left = self.activity.threads();
        assert!(
            left == 0,
            "work on the blocking pool outlives its test by {limit:?}:\n{}",
            names_of_work(self.supervisor, left)
        );
    }
}

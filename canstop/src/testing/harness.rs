//! Running a test's body and its supervisor on one paused thread.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};

use super::supervisor::Supervisor;
use crate::control::{EventLoop, MainChannels, Settings};
use crate::failure::install_hook;
use crate::machine::{Allowance, Event, ExitReason, Input, Report, Signal, StopSources};
use crate::observe::Status;
use crate::report::Reporter;
use crate::session::{self, Inbox, Message};

/// What [`#[canstop::test]`](macro@crate::test) runs a test in, for tests without the macro.
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
    seed: u64,
}

impl Harness {
    /// A harness with five seconds of grace.
    pub fn new() -> Self {
        Self { grace: Duration::from_secs(5), drain_delay: Duration::ZERO, seed: 0 }
    }

    /// The time from a stop request to the end, as in `#[canstop::main]`.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How much of it everything goes on serving, as in `#[canstop::main]`.
    pub fn drain_delay(mut self, drain_delay: Duration) -> Self {
        self.drain_delay = drain_delay;
        self
    }

    /// What the pauses before restarts are drawn from; the same seed gives the same pauses.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs a test, and stops what it has not stopped itself.
    ///
    /// # Panics
    ///
    /// If the test does, if a session outlives it, or if something must be left behind at its end.
    pub fn run<T>(self, test: impl AsyncFnOnce(Supervisor) -> T) -> T {
        install_hook();
        let (supervisor, inbox) = session::Supervisor::new();
        let runtime = paused_runtime(supervisor);
        supervisor.attach_data_plane(runtime.handle());
        let _edge = supervisor.root().enter_data_plane();
        runtime.block_on(self.play(supervisor, inbox, test))
    }

    async fn play<T>(
        self,
        supervisor: &'static session::Supervisor,
        inbox: Inbox,
        test: impl AsyncFnOnce(Supervisor) -> T,
    ) -> T {
        let (signals, mut heard) = mpsc::unbounded_channel();
        let (report, ended) = watch::channel(None);
        let held = Supervisor::new(supervisor, signals, ended.clone());
        let ends = MainChannels::of_test();
        let drop_main = ends.drop_main.clone();
        let allowance = Allowance { grace: self.grace, drain_delay: self.drain_delay };
        let settings = Settings { allowance, sources: StopSources::default(), seed: self.seed };
        let reporter = Reporter::of_test();
        supervisor.attach_report_thread(reporter.thread());
        let mut event_loop = EventLoop::new(supervisor, &settings, reporter, ends);
        let mut control = pin!(async {
            let mut inbox = inbox;
            event_loop.run(async || next_signal(&mut heard).await, &mut inbox).await;
            let known = event_loop.report();
            event_loop.say(Event::stopped(&known), false);
            report.send_replace(Some(known));
            // Who still hands something over learns that nobody takes it.
            drop(inbox);
            pending().await
        });
        let mut main = pin!(play_main(supervisor, move || drop_main.is_cancelled()));
        let output = tokio::select! {
            biased;
            output = test(held) => output,
            () = &mut control => unreachable!("it waits for ever at its end"),
            () = &mut main => unreachable!("it waits for ever at its end"),
        };
        let was_stopped = ended.borrow().is_some();
        tokio::select! {
            biased;
            () = see_off(supervisor, ended.clone()) => {}
            () = &mut control => unreachable!("it waits for ever at its end"),
            () = &mut main => unreachable!("it waits for ever at its end"),
        }
        if let Some(report) = ended.borrow().as_ref().filter(|_| !was_stopped) {
            assert!(report.stragglers.is_empty(), "the test left behind what does not stop\n{report}");
        }
        let left = Status::of(supervisor).sessions;
        let left: Vec<_> = left.iter().map(ToString::to_string).collect();
        assert!(left.is_empty(), "sessions outlive the test that spawned them: {}", left.join("; "));
        output
    }
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

fn paused_runtime(supervisor: &'static session::Supervisor) -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).on_thread_start(|| supervisor.root().adopt_thread());
    builder.build().unwrap_or_else(|error| panic!("the test's runtime cannot be built: {error}"))
}

/// Cancel safe, as the channel is.
async fn next_signal(heard: &mut mpsc::UnboundedReceiver<Signal>) -> Signal {
    match heard.recv().await {
        Some(signal) => signal,
        None => pending().await,
    }
}

/// Does what `main` does in a program: calls `run()` once services were handed over, or once the stop
/// has come before, and ends after it.
async fn play_main(supervisor: &'static session::Supervisor, is_dropped: impl Fn() -> bool) {
    let edge = supervisor.root();
    // Polled with the control plane, in the same task: what that has changed is seen at once.
    poll_fn(|_| {
        let stops = is_dropped() || edge.is_stopping(edge.run_id());
        if stops || !supervisor.services().is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let (done, drained) = oneshot::channel();
    supervisor.send(Message::Run(done));
    // Dropped, if a second signal has ended it.
    let _ = drained.await;
    supervisor.event(Input::MainEnded(ExitReason::Done));
    pending().await
}

/// Stops what the test has not, and lets what was given up be dropped.
async fn see_off(supervisor: &'static session::Supervisor, mut ended: watch::Receiver<Option<Report>>) {
    supervisor.event(Input::ShutdownRequested { reason: "the test is over".to_owned() });
    let _ = ended.wait_for(Option::is_some).await;
    // The clock goes on only when nothing is left to run.
    tokio::time::sleep(Duration::from_millis(1)).await;
}

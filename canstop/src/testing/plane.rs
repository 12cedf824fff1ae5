//! The control plane of a test, and the part of `main`.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::sync::{mpsc, oneshot, watch};

use super::settle::Settle;
use super::supervisor::Ask;
use crate::control::{Delivery, EventLoop, MainChannels, Settings};
use crate::machine::{Event, ExitReason, Input, Report, Signal};
use crate::report::Reporter;
use crate::session::{self, Inbox, Message};

/// The parts that [`run`](Plane::run) needs.
pub(super) struct Plane {
    pub(super) supervisor: &'static session::Supervisor,
    pub(super) settings: Settings,
    pub(super) inbox: Inbox,
    pub(super) asks: mpsc::UnboundedReceiver<Ask>,
    pub(super) settle: Settle,
    pub(super) report: watch::Sender<Option<Report>>,
}

impl Plane {
    /// Runs the control plane and the role of `main`, and delivers the test's requests. Never returns.
    pub(super) async fn run(self) {
        let Self { supervisor, settings, inbox, asks, settle, report } = self;
        let (signals, mut delivered) = mpsc::unbounded_channel();
        let channels = MainChannels::of_test();
        let drop_main = channels.drop_main.clone();
        let reporter = Reporter::of_test();
        supervisor.attach_report_thread(reporter.thread());
        let mut event_loop = EventLoop::new(supervisor, &settings, reporter, channels);
        let mut control = pin!(async {
            let mut inbox = inbox;
            event_loop.run(async || next_signal(&mut delivered).await, &mut inbox).await;
            let known = event_loop.report();
            event_loop.emit(Event::stopped(&known), false);
            event_loop.drop_kept();
            report.send_replace(Some(known));
            // Services that are handed over later learn that they never start.
            drop(inbox);
            pending::<()>().await
        });
        let mut main = pin!(play_main(supervisor, move || drop_main.is_cancelled()));
        let mut delivery = pin!(deliver(&settle, asks, &signals));
        tokio::select! {
            biased;
            () = &mut control => {}
            () = &mut main => {}
            () = &mut delivery => {}
        }
    }
}

/// Delivers signals and stops in the order in which the test asked for them, each after new services have
/// started.
async fn deliver(settle: &Settle, mut asks: mpsc::UnboundedReceiver<Ask>, signals: &mpsc::UnboundedSender<Signal>) {
    while let Some(ask) = asks.recv().await {
        settle.run().await;
        match ask {
            // The event loop has it as long as this future runs.
            Ask::Signal(signal) => drop(signals.send(signal)),
            Ask::Stop { reason } => {
                settle.supervisor.event(Input::ShutdownRequested { reason: reason.to_owned() });
            }
        }
        settle.activity.deliver();
    }
    pending().await
}

/// Cancel safe, as the channel is.
async fn next_signal(delivered: &mut mpsc::UnboundedReceiver<Signal>) -> Delivery {
    match delivered.recv().await {
        Some(signal) => Delivery::now(signal),
        None => pending().await,
    }
}

/// Does what `main` does in a program: calls `run()` once services were handed over, or once a stop was
/// requested before that, and ends after it.
async fn play_main(supervisor: &'static session::Supervisor, is_dropped: impl Fn() -> bool) {
    let root = supervisor.root();
    // This is polled in the same task as the control plane, so it needs no waker of its own.
    poll_fn(|_| {
        let stops = is_dropped() || root.is_stopping(root.run_id());
        if stops || !supervisor.services().is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let (done, drained) = oneshot::channel();
    supervisor.send(Message::Run(done));
    // Dropped if a second signal has ended the program.
    let _ = drained.await;
    supervisor.event(Input::MainEnded(ExitReason::Done));
    pending().await
}

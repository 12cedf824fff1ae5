//! What a test holds.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::lifecycle::Lifecycle;
use crate::machine::{Event, Input, Report, Signal};
use crate::observe::{Events, Status};
use crate::registry::{Service, ServiceHandle, hand_over};
use crate::session;

/// A supervisor of a test's own. See [the module](super).
#[derive(Debug)]
pub struct Supervisor {
    supervisor: &'static session::Supervisor,
    signals: mpsc::UnboundedSender<Signal>,
    /// Everything since the test began, and as much of it as was read.
    events: Events,
    seen: Vec<Event>,
    report: watch::Receiver<Option<Report>>,
}

impl Supervisor {
    pub(super) fn new(
        supervisor: &'static session::Supervisor,
        signals: mpsc::UnboundedSender<Signal>,
        report: watch::Receiver<Option<Report>>,
    ) -> Self {
        Self { supervisor, signals, events: Events::of(supervisor), seen: Vec::new(), report }
    }

    /// Starts a service, as `canstop::start` in `main` does. The first ones start together when the test
    /// first awaits something, so their order in the test does not matter.
    pub fn start<R>(&mut self, service: Service<R>) -> ServiceHandle {
        hand_over(self.supervisor, service.into_any(), true)
    }

    /// Sends a signal: it is heard when the test next awaits something. A second one later than 100 ms
    /// after the first ends the program at once, as it does outside of tests.
    pub fn signal(&mut self, signal: Signal) {
        // In vain once the program has ended, as everywhere.
        let _ = self.signals.send(signal);
    }

    /// Asks the program to stop if nobody has, and waits until it has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a stop that was asked for goes on.
    #[must_use = "the report says what was left behind"]
    pub async fn stop(&mut self) -> Report {
        let reason = "the test stops it".to_owned();
        // What was sent before it is heard before it.
        tokio::task::yield_now().await;
        self.supervisor.event(Input::ShutdownRequested { reason });
        self.wait().await
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait(&mut self) -> Report {
        let ended = self.report.wait_for(Option::is_some).await;
        let report = ended.ok().and_then(|report| report.clone());
        report.expect("the harness lives as long as the test, and gives its report once")
    }

    /// Lets time pass, and everything happen that is due in it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn advance(&mut self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Everything that has happened since the test began.
    pub fn events(&mut self) -> &[Event] {
        while let Some(event) = self.events.try_next() {
            self.seen.push(event);
        }
        &self.seen
    }

    /// Waits until something happens for which this is true, unless it has already, and gives it.
    ///
    /// # Panics
    ///
    /// If the program ends without it, with all that happened instead.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has happened meanwhile stays in [`events`](Self::events).
    pub async fn wait_for(&mut self, mut is_it: impl FnMut(&Event) -> bool) -> Event {
        let mut looked_at = 0;
        loop {
            while let Some(event) = self.seen.get(looked_at) {
                if is_it(event) {
                    return event.clone();
                }
                looked_at += 1;
            }
            match self.events.next().await {
                Some(event) => self.seen.push(event),
                None => {
                    panic!("the program ended without what the test waits for; it had these events: {:#?}", self.seen)
                }
            }
        }
    }

    /// How everything stands at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(self.supervisor)
    }

    /// The lifecycle of the test's body, which is that of `main`.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        let edge = self.supervisor.root();
        Lifecycle::new(edge, edge.run_id())
    }
}

//! The supervisor that a test holds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::activity::Activity;
use crate::lifecycle::Lifecycle;
use crate::machine::{Event, Report, Signal};
use crate::observe::{Events, Status};
use crate::registry::{Service, ServiceHandle, hand_over};
use crate::session;

/// A test's request to its control plane.
#[derive(Debug)]
pub(super) enum Ask {
    Signal(Signal),
    Stop { reason: &'static str },
}

/// The supervisor of one test. See [the module](super).
///
/// ```
/// use std::time::Duration;
///
/// use canstop::testing::{Harness, Supervisor};
/// use canstop::{Event, Lifecycle, Signal};
///
/// #[canstop::service]
/// async fn poller(lifecycle: Lifecycle) {
///     while let Some(()) = lifecycle.run_until_stopping(tokio::time::sleep(Duration::from_secs(60))).await {}
/// }
///
/// Harness::new().run(async |mut sup: Supervisor| {
///     sup.start(poller());
///     sup.wait_for(|event| matches!(event, Event::ServiceReady { .. })).await;
///     sup.advance(Duration::from_secs(3_600)).await; // no real time
///     sup.signal(Signal::Terminate);
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
#[derive(Debug)]
pub struct Supervisor {
    supervisor: &'static session::Supervisor,
    asks: mpsc::UnboundedSender<Ask>,
    activity: Arc<Activity>,
    /// The events since the test began: the unread ones, and those that were read.
    events: Events,
    seen: Vec<Event>,
    report: watch::Receiver<Option<Report>>,
}

impl Supervisor {
    pub(super) fn new(
        supervisor: &'static session::Supervisor,
        asks: mpsc::UnboundedSender<Ask>,
        activity: Arc<Activity>,
        report: watch::Receiver<Option<Report>>,
    ) -> Self {
        Self { supervisor, asks, activity, events: Events::of(supervisor), seen: Vec::new(), report }
    }

    /// Starts a service, as `canstop::start` in `main` does. The first ones start together when the test
    /// first awaits something, so their order in the test does not matter.
    pub fn start<R>(&mut self, service: Service<R>) -> ServiceHandle {
        hand_over(self.supervisor, service.into_any(), true)
    }

    /// Sends a signal. It takes effect when the test awaits something, after every service that was
    /// started before it was polled and is ready if it can be.
    ///
    /// A service that fails at its start is restarted first, until it runs or has failed too often. A second signal,
    /// more than 100 ms after the first, ends the program at once, as outside of tests.
    pub fn signal(&mut self, signal: Signal) {
        self.ask(Ask::Signal(signal));
    }

    /// Asks the program to stop unless it stops already, and waits until it has ended. Services that were
    /// started before have started as before a [`signal`](Self::signal).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the requested stop goes on.
    #[must_use = "the report names what was abandoned"]
    pub async fn stop(&mut self) -> Report {
        self.ask(Ask::Stop { reason: "the test stops it" });
        self.wait().await
    }

    fn ask(&self, ask: Ask) {
        self.activity.request();
        // The receiver is dropped only with the test.
        let _ = self.asks.send(ask);
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait(&mut self) -> Report {
        let ended = self.report.wait_for(Option::is_some).await;
        let report = ended.ok().and_then(|report| report.clone());
        report.expect("the control plane runs as long as the test, and reports once")
    }

    /// Waits for this long on the test's clock, while services and sessions run.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn advance(&mut self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Every event since the test began.
    pub fn events(&mut self) -> &[Event] {
        while let Some(event) = self.events.try_next() {
            self.seen.push(event);
        }
        &self.seen
    }

    /// Returns the first event since the test began that matches, waiting for it if necessary.
    ///
    /// # Panics
    ///
    /// If the program ends without such an event; the message lists its events.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: events that were emitted meanwhile stay in [`events`](Self::events).
    pub async fn wait_for(&mut self, mut matches: impl FnMut(&Event) -> bool) -> Event {
        let mut checked = 0;
        loop {
            while let Some(event) = self.seen.get(checked) {
                if matches(event) {
                    return event.clone();
                }
                checked += 1;
            }
            match self.events.next().await {
                Some(event) => self.seen.push(event),
                None => {
                    panic!("the program ended without what the test waits for; it had these events: {:#?}", self.seen)
                }
            }
        }
    }

    /// The state of every service and session at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::of(self.supervisor)
    }

    /// The lifecycle of the test's body, which is that of `main`.
    #[must_use]
    pub fn lifecycle(&self) -> Lifecycle {
        let root = self.supervisor.root();
        Lifecycle::new(root, root.run_id())
    }
}

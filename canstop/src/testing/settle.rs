//! Lets services start before a signal or a stop takes effect.
//!
//! A test starts a service and sends the signal in the next line. The service would be signalled before its
//! body is polled, and the test would pass whatever the body does.

use std::sync::Arc;
use std::time::Duration;

use super::activity::Activity;
use super::clock::Clock;
use crate::machine::ServiceState;
use crate::session::Supervisor;

/// The workers of a runtime on the real clock.
pub(super) const WORKERS: usize = 2;

/// A service that fails at its start is restarted until it runs or has failed too often. For a service that may fail
/// forever, the test waits no longer than this.
const RESTARTS_END_BY: Duration = Duration::from_secs(60);
/// How often the runtime may become idle before a service is ready, as a socket may need several polls.
const IDLE_POLLS: usize = 16;
/// How long a service that has not failed may take to be ready on the real clock.
const READY_BY: Duration = Duration::from_secs(1);
const REAL_POLL: Duration = Duration::from_millis(1);
/// How many checks in a row must find every worker parked.
const PARKED_LOOKS: u32 = 3;

pub(super) struct Settle {
    pub(super) supervisor: &'static Supervisor,
    pub(super) activity: Arc<Activity>,
    pub(super) clock: Clock,
}

impl Settle {
    /// Waits until every new service was polled, and is ready if it can be.
    pub(super) async fn run(&self) {
        match self.clock {
            Clock::Paused => self.run_paused().await,
            Clock::Real => self.run_real().await,
        }
        let _ = tokio::time::timeout(RESTARTS_END_BY, self.restarts()).await;
    }

    async fn run_paused(&self) {
        self.activity.idle().await;
        for _ in 0..IDLE_POLLS {
            if !self.any_new(is_starting) {
                return;
            }
            self.activity.idle().await;
        }
        let mut before = Vec::new();
        while self.any_new(is_starting) {
            let states = self.new_states();
            if states == before {
                return;
            }
            before = states;
            // The clock does not move before the work on the blocking pool is done.
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.activity.idle().await;
        }
    }

    async fn run_real(&self) {
        let began = tokio::time::Instant::now();
        let mut looks = 0;
        while looks < PARKED_LOOKS && began.elapsed() < READY_BY {
            tokio::time::sleep(REAL_POLL).await;
            looks = if self.is_idle() && !self.any_new(is_starting) { looks + 1 } else { 0 };
        }
    }

    /// Returns true if every worker is parked and no task waits for one. A worker counts as parked for some time after
    /// it was woken for a task, which is in the queue until the worker takes it.
    fn is_idle(&self) -> bool {
        let queued = self.supervisor.data_plane().map_or(0, |runtime| runtime.metrics().global_queue_depth());
        queued == 0 && self.activity.parked() >= WORKERS
    }

    /// Waits for new services that have failed and are restarted.
    async fn restarts(&self) {
        loop {
            let services = self.supervisor.services();
            let new = services.iter().skip(self.activity.settled_services());
            let Some(snapshot) = new
                .map(|service| service.snapshot.clone())
                .find(|snapshot| snapshot.get().state == ServiceState::BackingOff)
            else {
                return;
            };
            let changed =
                snapshot.wait_for(|snapshot| (snapshot.state != ServiceState::BackingOff).then_some(())).await.is_ok();
            if !changed || self.is_stopping() {
                return;
            }
            match self.clock {
                Clock::Paused => self.activity.idle().await,
                Clock::Real => self.run_real().await,
            }
        }
    }

    fn any_new(&self, is: impl Fn(ServiceState) -> bool) -> bool {
        !self.is_stopping() && self.new_states().into_iter().any(is)
    }

    fn new_states(&self) -> Vec<ServiceState> {
        let services = self.supervisor.services();
        services.iter().skip(self.activity.settled_services()).map(|service| service.snapshot.get().state).collect()
    }

    fn is_stopping(&self) -> bool {
        let root = self.supervisor.root();
        root.is_stopping(root.run_id())
    }
}

fn is_starting(state: ServiceState) -> bool {
    matches!(state, ServiceState::Waiting | ServiceState::Starting)
}

//! The state of a service, for people and programs that ask.

use super::service::Service;
use super::stage::{ServiceOutcome, Stage};

/// How far a service has come.
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Event, Service, ServiceOutcome, ServiceState};
///
/// Harness::new().run(async |mut sup| {
///     let database = Service::new("database", |lifecycle| async move { lifecycle.stopping().await });
///     let database = sup.start(database);
///     sup.wait_for(|event| matches!(event, Event::ServiceReady { .. })).await;
///     assert_eq!(database.status().state, ServiceState::Ready);
///     database.stop().await;
///     assert_eq!(database.status().state, ServiceState::Over(ServiceOutcome::Stopped));
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceState {
    /// It waits for `run()`, or until those that it needs are ready.
    Waiting,
    /// It was started, and is not ready yet.
    Starting,
    /// It runs, and is ready.
    Ready,
    /// A run is over, and the next one begins after a pause, or when what stops for it is gone.
    BackingOff,
    /// It was signalled to stop, for good or for its next run, and has not ended.
    Stopping,
    /// It is over for good.
    Over(ServiceOutcome),
}

impl Service {
    pub(crate) fn state(&self) -> ServiceState {
        match self.stage {
            Stage::Planned => ServiceState::Waiting,
            Stage::Running { .. } if self.stop_by.is_some() => ServiceState::Stopping,
            Stage::Running { ready: true, .. } => ServiceState::Ready,
            Stage::Running { ready: false, .. } => ServiceState::Starting,
            Stage::BackingOff { .. } => ServiceState::BackingOff,
            Stage::Over(outcome) => ServiceState::Over(outcome),
        }
    }
}

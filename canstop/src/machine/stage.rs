//! How far a service has come, and what is wanted of it.

use super::time::Time;

/// How far a service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Known, and waiting for `run()` or for what it needs.
    Planned,
    /// Its body runs.
    Running { began: Time, ready: bool },
    /// A run is over, and the next one begins after a pause.
    BackingOff { until: Time },
    /// It is over for good.
    Over(ServiceOutcome),
}

/// What is wanted of a service while the program runs. A later one outweighs an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    /// A new run, not before then: its handle asked for it, or a service that it is bound to restarts.
    Restart { not_before: Time },
    /// Its end: its parent's run is over, and the next one starts its own children.
    EndWithParent,
    /// Its end: its handle asked for it, or the handle of a service that it needs.
    Stop,
}

/// How a service ended.
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Service, ServiceOutcome};
///
/// Harness::new().run(async |mut sup| {
///     let import = sup.start(Service::once("import", |_| async { println!("imported") }));
///     assert_eq!(import.wait().await, ServiceOutcome::Done);
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceOutcome {
    /// It returned by itself, and that was all it had to do.
    Done,
    /// It was signalled to stop, and did.
    Stopped,
    /// It failed too often, or while it stopped.
    Failed,
    /// It is optional and failed too often; the program went on without it.
    Lost,
    /// It did not stop in its time and was abandoned.
    Abandoned,
    /// It was to stop before it was started, alone or with the program.
    NeverStarted,
    /// It did not fit into the plan of the running program.
    Refused,
}

/// What has become of the user's state that the service's runs are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserState {
    /// It is kept for the next run.
    Held,
    /// The service is over for good, and its state is being dropped.
    Dropping,
    /// Its drop did not end in time, or was not waited for.
    Abandoned,
    Dropped,
}

//! What the control plane sends to the machine.

use std::time::Duration;

use super::cause::Signal;
use super::handover::HandOverInput;
use super::id::{Owner, RunId, ServiceId};
use super::location::Location;
use super::spec::ServiceSpec;
use super::time::Time;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Time has passed. Harmless at any moment.
    Wake,
    /// A stop signal was delivered at `at`. `from_terminal`: a key in a terminal sent it.
    Signal { signal: Signal, at: Time, from_terminal: bool },
    /// The control thread did not run for this long: the process was stopped, or the machine asleep.
    Frozen { span: Duration },
    /// The grace of the whole program was set, before a stop.
    SetGrace(Duration),
    /// `shutdown` was called.
    ShutdownRequested { reason: String },
    /// `main` asked for its lifecycle or started something: from now on it listens.
    MainListens,
    /// A service was given over; its id is what [`State::number_for`](super::state::State::number_for)
    /// said before.
    ServiceAdded(Box<ServiceSpec>),
    /// Sessions with a grace of their own have come up under `home`; the group's number is the number
    /// of groups before it.
    GroupAdded { home: Owner, grace: Duration, cancels: bool },
    /// `main` called `run()`.
    RunCalled,
    /// The body of `main` is over.
    MainEnded(ExitReason),
    /// A service called `ready()`, at `location`.
    ServiceReady { id: ServiceId, run: RunId, location: Location },
    /// A flush hook was added.
    FlushHookAdded,
    /// A flush hook has ended; `panic` is what it panicked with.
    Flushed { name: String, panic: Option<String> },
    /// A value was kept for after the last line.
    Kept,
    /// Readiness is held back, for this reason, until the hold of this number is released.
    HoldReadiness { hold: u64, reason: String },
    /// A hold of readiness is over.
    ReleaseReadiness { hold: u64 },
    /// A run of a service is over.
    ServiceEnded { id: ServiceId, run: RunId, reason: ExitReason },
    /// The drop of a service's state, asked for by [`Action::DropState`](super::action::Action::DropState),
    /// is over. `run` is the service's last run; `panic` is what the drop panicked with.
    StateDropped { id: ServiceId, run: RunId, panic: Option<String> },
    /// A stop of one service is requested, and of those that need it before it. `before` is the last run
    /// that was not this service's: its number may belong to another one by now.
    StopService { id: ServiceId, before: RunId },
    /// A restart of one service is requested, and with it of those that are bound to it.
    RestartService { id: ServiceId, before: RunId },
    /// Something about a hand-over.
    #[cfg_attr(not(all(unix, feature = "handover")), allow(dead_code, reason = "only that feature sends it"))]
    HandOver(HandOverInput),
    /// How many sessions are alive. The control plane counts before every other input once a stop was
    /// requested, so that the machine never judges by an old count.
    SessionsCounted(Vec<(Owner, u64)>),
}

/// How a run of a service, or a session, ended.
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Event, ExitReason, Restart, Service};
///
/// Harness::new().run(async |mut sup| {
///     let broken = Service::new("broken", |_| async { Err::<(), _>("the disk is full") });
///     sup.start(broken.restart(Restart::Never));
///     let ended = sup.wait_for(|event| matches!(event, Event::ServiceEnded { .. })).await;
///     let Event::ServiceEnded { reason, .. } = ended else { unreachable!() };
///     assert_eq!(reason, ExitReason::Failed("the disk is full".to_owned()));
///     assert_eq!(reason.error(), Some("the disk is full"));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// It returned, and not an error.
    Done,
    /// It returned an error.
    Failed(String),
    /// It panicked.
    Panicked(String),
    /// It was dropped before it returned.
    Dropped,
}

impl ExitReason {
    /// What it failed with, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            ExitReason::Done | ExitReason::Dropped => None,
            ExitReason::Failed(error) | ExitReason::Panicked(error) => Some(error),
        }
    }
}

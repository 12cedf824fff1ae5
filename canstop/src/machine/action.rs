//! What the machine asks of the control plane.

use super::event::Event;
use super::handover::HandOverAction;
use super::id::{Owner, RunId, ServiceId};
use super::time::Time;

/// One thing to do. Actions are performed in the order in which they were decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Begin this run of a service.
    Start { id: ServiceId, run: RunId },
    /// Signal a run, and the sessions that belong to it, to stop by `until`.
    StopService { id: ServiceId, run: RunId, until: Time },
    /// Signal `main` and the root's sessions to stop by `until`.
    StopRoot { until: Time },
    /// Sessions of the root were abandoned: what it spawns from now on is counted apart from them.
    RenewRoot,
    /// Count sessions from now on, and watch for their ends.
    WatchSessions,
    /// Counting sessions is no longer needed.
    UnwatchSessions,
    /// A stop was requested: what ends from now on is drained.
    BeginStop,
    /// The time of these is up: name them, then drop their futures.
    Abandon(Abandoned),
    /// Drop a run's future without blame: its service is a `cancel` service.
    Cancel { id: ServiceId, run: RunId },
    /// Drop the sessions of a group without blame: they may be cancelled, and have had their time.
    CancelSessions { owner: Owner },
    /// Drop a service's state: it has run for the last time. The end of the drop is reported by
    /// [`Input::StateDropped`](super::input::Input::StateDropped).
    DropState { id: ServiceId },
    /// Drop the body of `main` at its next `.await`.
    DropMain,
    /// Let `run()` return in `main`.
    ReturnFromRun,
    /// Do something for a hand-over.
    HandOver(HandOverAction),
    /// Report an event.
    Emit(Event),
    /// Run the flush hooks. The end of each is reported by [`Input::Flushed`](super::input::Input::Flushed).
    Flush,
    /// The time of the flush hooks is up: name those that have not ended.
    AbandonFlush,
    /// The stop is complete: hand the exit code to the main thread.
    Finish,
    /// Name what is left and end the process now.
    ForceExit,
}

/// What is abandoned at the end of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abandoned {
    pub(crate) main: bool,
    pub(crate) services: Vec<(ServiceId, RunId)>,
    pub(crate) sessions: Vec<(Owner, u64)>,
}

impl Abandoned {
    pub(crate) fn is_empty(&self) -> bool {
        !self.main && self.services.is_empty() && self.sessions.is_empty()
    }
}

//! What the machine asks of the shell, and what there is to tell.

use std::time::Duration;

use super::cause::{Cause, Signal};
use super::exit::Exit;
use super::id::{Owner, RunId, ServiceId};
use super::input::ExitReason;
use super::time::Time;

/// One thing to do. Actions are performed in the order in which they were decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Begin this life of a service.
    Start { id: ServiceId, run: RunId },
    /// Let a life, and the sessions that belong to it, hear that it should stop, and by when.
    StopService { id: ServiceId, run: RunId, until: Time },
    /// Let `main`, and the sessions that belong to nobody in particular, hear it.
    StopRoot { until: Time },
    /// From now on, whoever ends a session says so, and sessions are counted.
    WatchSessions,
    /// That is no longer needed.
    UnwatchSessions,
    /// A stop was requested: what ends from now on is drained.
    BeginStop,
    /// The time of these is up: name them, then drop their futures.
    Abandon(Abandoned),
    /// Drop a service's future without a word: it asked to be cancelled.
    Cancel { id: ServiceId, run: RunId },
    /// Drop the body of `main` at its next `.await`.
    DropMain,
    /// Let `run()` return in `main`.
    ReturnFromRun,
    /// Say it.
    Tell(Notice),
    /// It is over: hand the exit code to the main thread.
    Finish,
    /// It is over now: name what is still there and end the process.
    ForceExit,
}

/// What is left behind at the end of a step.
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

/// One thing to tell people and programs. Every transition is told exactly once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    ServiceStarted {
        id: ServiceId,
        run: RunId,
    },
    ServiceReady {
        id: ServiceId,
    },
    ServiceStopping {
        id: ServiceId,
    },
    /// A life ended, and it is the last one unless a restart is announced with it.
    ServiceEnded {
        id: ServiceId,
        reason: ExitReason,
        restart_in: Option<Duration>,
    },
    /// An optional service failed too often; the program goes on without it.
    ServiceLost {
        id: ServiceId,
    },
    /// A service that was added while the program ran does not fit into its plan.
    ServiceRefused {
        id: ServiceId,
        fault: String,
    },
    /// `main` returned an error or panicked.
    MainFailed {
        error: String,
    },
    StopRequested {
        cause: Cause,
        grace: Duration,
    },
    DuplicateSignal(Signal),
    /// Once a second while a stop waits.
    Waiting {
        remaining: Duration,
        services: Vec<ServiceId>,
        sessions: u64,
        main: bool,
    },
    Finished {
        exit: Exit,
    },
}

//! One thing that is told: its fields for programs, and its text for people.

use std::fmt;
use std::time::Duration;

use super::display::Rounded;
use crate::machine::{Cause, Exit, ExitReason, Location, Report, Signal, Straggler};

#[doc = include_str!("../../docs/events.md")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A life of a service began; the first one is life 1.
    ServiceStarted {
        /// The service's name; a child's begins with its parent's.
        service: String,
        /// Which of its lives, from 1.
        run: u32,
    },
    /// A service is ready: those that need it may start.
    ServiceReady {
        /// The service's name; a child's begins with its parent's.
        service: String,
    },
    /// A service was told to stop, for good or for a new life.
    ServiceStopping {
        /// The service's name; a child's begins with its parent's.
        service: String,
    },
    /// A life of a service ended. It is the last one unless a restart is announced.
    ServiceEnded {
        /// The service's name; a child's begins with its parent's.
        service: String,
        /// How it ended.
        reason: ExitReason,
        /// When the next one begins.
        restart_in: Option<Duration>,
    },
    /// An optional service failed too often; the program goes on without it.
    ServiceLost {
        /// The service's name; a child's begins with its parent's.
        service: String,
    },
    /// A service that was added to the running program does not fit into its plan.
    ServiceRefused {
        /// The service's name; a child's begins with its parent's.
        service: String,
        /// What is wrong, and what to do about it.
        fault: String,
    },
    /// A session returned an error or panicked. A flood of them is counted in the [`Report`], and not
    /// each is told.
    SessionFailed {
        /// Its own name, if it has one.
        name: Option<&'static str>,
        /// Where it was spawned, as `file:line`.
        location: Location,
        /// The function that spawned it.
        function: &'static str,
        /// The module of that.
        module: &'static str,
        /// The service that it belonged to.
        owner: Option<String>,
        /// How it ended.
        reason: ExitReason,
    },
    /// The body of `main` returned an error or panicked.
    MainFailed {
        /// What it said.
        error: String,
    },
    /// The program is asked to stop.
    StopRequested {
        /// Why.
        cause: Cause,
        /// The time there is for it.
        grace: Duration,
    },
    /// Another signal that changes nothing: it came too close to the first, or the stop has begun.
    DuplicateSignal {
        /// Which one.
        signal: Signal,
    },
    /// What is waited for, once a second during a stop.
    Waiting {
        /// The time that is left.
        remaining: Duration,
        /// The services that are waited for.
        services: Vec<String>,
        /// How many sessions are.
        sessions: u64,
        /// Is the body of `main`, or its teardown?
        main: bool,
    },
    /// Something did not end in its time and is left behind.
    Abandoned(Straggler),
    /// So many more stragglers are left behind, which are not told one by one.
    MoreAbandoned {
        /// How many.
        rows: usize,
    },
    /// It is over.
    Stopped {
        /// Why.
        cause: Cause,
        /// From the stop request to the end.
        duration: Duration,
        /// How many sessions ended by themselves after the stop request.
        drained: u64,
        /// How many were left behind.
        abandoned: u64,
        /// How the program ends.
        exit: Exit,
    },
    /// So many events came faster than this stream was read, and are lost to it. No log line says it.
    Missed {
        /// How many.
        count: u64,
    },
}

impl Event {
    pub(crate) fn stopped(report: &Report) -> Self {
        Self::Stopped {
            cause: report.cause.clone(),
            duration: report.duration,
            drained: report.drained,
            abandoned: report.abandoned(),
            exit: report.exit,
        }
    }

    /// What kind of event it is, in one word: the field `event` of what `tracing` gets.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Event::ServiceStarted { .. } => "service_started",
            Event::ServiceReady { .. } => "service_ready",
            Event::ServiceStopping { .. } => "service_stopping",
            Event::ServiceEnded { .. } => "service_ended",
            Event::ServiceLost { .. } => "service_lost",
            Event::ServiceRefused { .. } => "service_refused",
            Event::SessionFailed { .. } => "session_failed",
            Event::MainFailed { .. } => "main_failed",
            Event::StopRequested { .. } => "stop_requested",
            Event::DuplicateSignal { .. } => "duplicate_signal",
            Event::Waiting { .. } => "waiting",
            Event::Abandoned(_) => "abandoned",
            Event::MoreAbandoned { .. } => "more_abandoned",
            Event::Stopped { .. } => "stopped",
            Event::Missed { .. } => "missed",
        }
    }
}

/// The text for people, as it is logged.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ServiceStarted { service, run: 1 } => write!(f, "service `{service}` started"),
            Event::ServiceStarted { service, run } => write!(f, "service `{service}` restarted, run {run}"),
            Event::ServiceReady { service } => write!(f, "service `{service}` is ready"),
            Event::ServiceStopping { service } => write!(f, "stopping service `{service}`"),
            Event::ServiceEnded { service, reason, restart_in } => {
                write!(f, "service `{service}` {reason}")?;
                match restart_in {
                    Some(Duration::ZERO) => f.write_str("; it is restarted"),
                    Some(pause) => write!(f, "; it is restarted in {}", Rounded(*pause)),
                    None => Ok(()),
                }
            }
            Event::ServiceLost { service } => {
                write!(f, "optional service `{service}` failed too often; going on without it")
            }
            Event::ServiceRefused { service, fault } => write!(f, "service `{service}` was not started: {fault}"),
            Event::SessionFailed { name, location, function, owner, reason, .. } => {
                f.write_str("session ")?;
                if let Some(name) = name {
                    write!(f, "`{name}` ")?;
                }
                write!(f, "at {location} in {function}")?;
                if let Some(owner) = owner {
                    write!(f, " of service `{owner}`")?;
                }
                write!(f, " {reason}")
            }
            Event::MainFailed { error } => write!(f, "main failed: {error}"),
            Event::StopRequested { cause, grace } => write!(f, "stopping ({cause}), within {}", Rounded(*grace)),
            Event::DuplicateSignal { signal } => {
                write!(f, "{signal} while stopping; another one later than this ends the program at once")
            }
            Event::Waiting { remaining, services, sessions, main } => {
                let mut waited_for = Vec::new();
                if *main {
                    waited_for.push("main".to_owned());
                }
                waited_for.extend(services.iter().map(|service| format!("service `{service}`")));
                if *sessions > 0 {
                    waited_for.push(format!("{sessions} sessions"));
                }
                if waited_for.is_empty() {
                    waited_for.push("the drain delay".to_owned());
                }
                write!(f, "waiting for {}, {} left", waited_for.join(", "), Rounded(*remaining))
            }
            Event::Abandoned(straggler) => write!(f, "abandoned: {straggler}"),
            Event::MoreAbandoned { rows } => write!(f, "abandoned: and {rows} more rows"),
            Event::Stopped { cause, duration, drained, abandoned, exit } => {
                let duration = Rounded(*duration);
                // All the faults of a plan were told when the stop began; this is one line.
                let cause = cause.to_string();
                let cause = cause.lines().next().unwrap_or_default();
                let code = exit.code();
                write!(
                    f,
                    "stopped ({cause}) in {duration}: {drained} sessions drained, {abandoned} abandoned, exit code {code}"
                )?;
                if let Exit::Forced(signal) = exit {
                    write!(f, " (forced by a second signal, {signal})")?;
                }
                Ok(())
            }
            Event::Missed { count } => write!(f, "{count} events were missed"),
        }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Done => f.write_str("is done"),
            ExitReason::Failed(error) => write!(f, "failed: {error}"),
            ExitReason::Panicked(panic) => write!(f, "panicked: {panic}"),
            ExitReason::Dropped => f.write_str("was dropped"),
        }
    }
}

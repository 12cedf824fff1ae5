//! One thing that is told: its text for people, its event for `tracing`.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use tracing::Level;

use super::show::Rounded;
use crate::machine::{Cause, Ending, Exit, Report, Signal, Straggler};

/// Everything that canstop ever says.
#[derive(Debug)]
pub(crate) enum Telling {
    ServiceStarted {
        service: String,
        life: u32,
    },
    ServiceReady {
        service: String,
    },
    ServiceTold {
        service: String,
    },
    ServiceEnded {
        service: String,
        ending: Ending,
        restart_in: Option<Duration>,
    },
    ServiceLost {
        service: String,
    },
    ServiceRefused {
        service: String,
        fault: String,
    },
    SessionFailed {
        name: Option<&'static str>,
        place: String,
        function: &'static str,
        module: &'static str,
        owner: Option<String>,
        ending: Ending,
    },
    MainFailed {
        error: String,
    },
    StopRequested {
        cause: Cause,
        grace: Duration,
    },
    DuplicateSignal {
        signal: Signal,
    },
    Waiting {
        remaining: Duration,
        services: Vec<String>,
        sessions: u64,
        main: bool,
    },
    Abandoned(Straggler),
    MoreAbandoned {
        rows: usize,
    },
    Last(LastLine),
}

/// The last line: always said, clean or not.
#[derive(Clone, Debug)]
pub(crate) struct LastLine {
    cause: Cause,
    duration: Duration,
    drained: u64,
    abandoned: u64,
    exit: Exit,
}

impl LastLine {
    pub(crate) fn of(report: &Report) -> Self {
        Self {
            cause: report.cause.clone(),
            duration: report.duration,
            drained: report.drained,
            abandoned: report.abandoned(),
            exit: report.exit,
        }
    }
}

impl fmt::Display for LastLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, duration, drained, abandoned, exit } = self;
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
}

impl fmt::Display for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Telling::ServiceStarted { service, life: 1 } => write!(f, "service `{service}` started"),
            Telling::ServiceStarted { service, life } => write!(f, "service `{service}` restarted, life {life}"),
            Telling::ServiceReady { service } => write!(f, "service `{service}` is ready"),
            Telling::ServiceTold { service } => write!(f, "service `{service}` is told to stop"),
            Telling::ServiceEnded { service, ending, restart_in } => {
                write!(f, "service `{service}` {}", How(ending))?;
                match restart_in {
                    Some(pause) => write!(f, "; it is restarted in {}", Rounded(*pause)),
                    None => Ok(()),
                }
            }
            Telling::ServiceLost { service } => {
                write!(f, "optional service `{service}` failed too often; going on without it")
            }
            Telling::ServiceRefused { service, fault } => write!(f, "service `{service}` was not started: {fault}"),
            Telling::SessionFailed { name, place, function, owner, ending, .. } => {
                f.write_str("session ")?;
                if let Some(name) = name {
                    write!(f, "`{name}` ")?;
                }
                write!(f, "at {place} in {function}")?;
                if let Some(owner) = owner {
                    write!(f, " of service `{owner}`")?;
                }
                write!(f, " {}", How(ending))
            }
            Telling::MainFailed { error } => write!(f, "main failed: {error}"),
            Telling::StopRequested { cause, grace } => write!(f, "stopping ({cause}), within {}", Rounded(*grace)),
            Telling::DuplicateSignal { signal } => {
                write!(f, "{signal} while stopping; another one later than this ends the program at once")
            }
            Telling::Waiting { remaining, services, sessions, main } => {
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
            Telling::Abandoned(straggler) => write!(f, "abandoned: {straggler}"),
            Telling::MoreAbandoned { rows } => write!(f, "abandoned: and {rows} more rows"),
            Telling::Last(line) => line.fmt(f),
        }
    }
}

struct How<'a>(&'a Ending);

impl fmt::Display for How<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ending::Done => f.write_str("is done"),
            Ending::Failed(error) => write!(f, "failed: {error}"),
            Ending::Panicked(panic) => write!(f, "panicked: {panic}"),
            Ending::Dropped => f.write_str("was dropped"),
        }
    }
}

impl Telling {
    pub(crate) fn level(&self) -> Level {
        match self {
            Telling::ServiceStarted { .. } | Telling::ServiceReady { .. } | Telling::ServiceTold { .. } => Level::DEBUG,
            Telling::ServiceEnded { ending: Ending::Done | Ending::Dropped, .. } => Level::DEBUG,
            Telling::ServiceEnded { .. } | Telling::SessionFailed { .. } => Level::ERROR,
            Telling::ServiceLost { .. } | Telling::Abandoned(_) | Telling::MoreAbandoned { .. } => Level::ERROR,
            Telling::ServiceRefused { .. } | Telling::MainFailed { .. } => Level::ERROR,
            Telling::StopRequested { cause, .. } if cause.is_failure() => Level::ERROR,
            Telling::StopRequested { .. } | Telling::Waiting { .. } => Level::INFO,
            Telling::DuplicateSignal { .. } => Level::WARN,
            Telling::Last(line) => match line.exit {
                Exit::Clean => Level::INFO,
                _ => Level::ERROR,
            },
        }
    }

    /// What runs as it should is for those who asked for it by a subscriber.
    fn is_worth_stderr(&self) -> bool {
        self.level() != Level::DEBUG
    }

    /// Says it where somebody listens, and on stderr where nobody does or where `urgent` wants it.
    ///
    /// The message is the text for people; the fields are for programs.
    pub(crate) fn tell(&self, urgent: bool) {
        let heard = self.emit();
        if self.is_worth_stderr() && (urgent || !heard || matches!(self, Telling::MainFailed { .. })) {
            // In one piece, or another thread's words stand in the middle of it. Nobody is left to be
            // told that nobody reads it; `eprintln!` would panic.
            let _ = io::stderr().write_all(format!("canstop: {self}\n").as_bytes());
        }
    }

    /// Emits the event, if a subscriber wants it.
    fn emit(&self) -> bool {
        // The level is part of an event's static metadata, so there is one event for each.
        macro_rules! event_at {
            ($level:expr, $($field:tt)*) => {{
                let heard = tracing::event_enabled!(target: "canstop", $level);
                if heard {
                    tracing::event!(target: "canstop", $level, $($field)* "{self}");
                }
                heard
            }};
        }
        macro_rules! event {
            ($($field:tt)*) => {
                match self.level() {
                    Level::ERROR => event_at!(Level::ERROR, $($field)*),
                    Level::WARN => event_at!(Level::WARN, $($field)*),
                    Level::INFO => event_at!(Level::INFO, $($field)*),
                    _ => event_at!(Level::DEBUG, $($field)*),
                }
            };
        }
        match self {
            Telling::ServiceStarted { service, life } => event!(service, life,),
            Telling::ServiceReady { service }
            | Telling::ServiceTold { service }
            | Telling::ServiceLost { service }
            | Telling::ServiceRefused { service, .. } => event!(service,),
            Telling::ServiceEnded { service, ending, restart_in } => {
                let restart_in_ms = restart_in.map(milliseconds);
                event!(service, error = ending.error(), restart_in_ms,)
            }
            Telling::SessionFailed { name, place, function, module, owner, ending } => {
                event!(session = name, site = place, function, module, owner, error = ending.error(),)
            }
            Telling::MainFailed { error } => event!(error,),
            Telling::StopRequested { cause, grace } => event!(%cause, grace_ms = milliseconds(*grace),),
            Telling::DuplicateSignal { signal } => event!(%signal,),
            Telling::Waiting { remaining, sessions, .. } => event!(sessions, remaining_ms = milliseconds(*remaining),),
            Telling::Abandoned(straggler) => event!(
                kind = %straggler.kind,
                session = straggler.name,
                site = straggler.place,
                function = straggler.function,
                owner = straggler.owner,
                count = straggler.count,
                oldest_ms = straggler.oldest.map(milliseconds),
            ),
            Telling::MoreAbandoned { rows } => event!(rows,),
            Telling::Last(LastLine { cause, duration, drained, abandoned, exit }) => event!(
                %cause,
                duration_ms = milliseconds(*duration),
                drained,
                abandoned,
                exit_code = exit.code(),
            ),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

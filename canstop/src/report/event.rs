//! An event's text for people.

use std::fmt;
use std::time::Duration;

use super::display::Rounded;
use crate::machine::{Event, Exit, ExitReason};
use crate::settings::Plain;

/// The text for people, as it is logged.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ServiceStarted { service, run: 1 } => write!(f, "service `{service}` started"),
            Event::ServiceStarted { service, run } => write!(f, "service `{service}` restarted, run {run}"),
            Event::ServiceReady { service } => write!(f, "service `{service}` is ready"),
            Event::ReadyIgnored { service, location } => write!(
                f,
                "`ready()` at {location} changes nothing: service `{service}` was ready as soon as it started; give it \
                 `ready = \"notify\"`, or take the call away"
            ),
            Event::WaitsForItself { service, waiter, location } => {
                write!(f, "service `{waiter}` waits at {location} ")?;
                if service == waiter {
                    f.write_str("for its own end")?;
                } else {
                    write!(f, "for the end of service `{service}`, which waits for its own")?;
                }
                f.write_str("; the request holds, and the wait is over at once")
            }
            Event::ServiceStopping { service } => write!(f, "stopping service `{service}`"),
            Event::ServiceEnded { service, reason, restart_in } => {
                write!(f, "service `{service}` {reason}")?;
                match restart_in {
                    Some(Duration::ZERO) => f.write_str("; it is restarted"),
                    Some(pause) => write!(f, "; it is restarted in {}", Rounded(*pause)),
                    None => Ok(()),
                }
            }
            Event::StatePanicked { service, error } => {
                write!(f, "the state of service `{service}` panicked when it was dropped: {error}")
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
            Event::ListenerWarning { listener, warning } => write!(f, "listener `{listener}`: {warning}"),
            Event::MainFailed { error } => write!(f, "main failed: {error}"),
            Event::StopRequested { cause, grace, grace_source, drain_delay, drain_delay_source } => {
                write!(f, "stopping ({cause}), within {} ({grace_source})", Plain(*grace))?;
                if drain_delay.is_zero() {
                    return Ok(());
                }
                write!(f, ", drain delay {} ({drain_delay_source})", Plain(*drain_delay))
            }
            Event::SignalHandlerReplaced { signal } => write!(
                f,
                "the handler of {signal} was replaced, so {signal} no longer stops the program; to hear signals beside canstop, \
                 use `tokio::signal` or the `signal-hook` crate"
            ),
            Event::ServicesNotLinked { services } => write!(
                f,
                "registered services that nothing starts: {}; link their crate with `App::link`, or mark them `manual`",
                services.join(", ")
            ),
            Event::DuplicateSignal { signal } => {
                write!(f, "{signal} while stopping; another one later than this ends the program at once")
            }
            Event::Waiting { remaining, services, sessions, main, slowest } => {
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
                write!(f, "waiting for {}, {} left", waited_for.join(", "), Rounded(*remaining))?;
                match slowest {
                    Some(request) => write!(f, "; the slowest request is {request}"),
                    None => Ok(()),
                }
            }
            Event::ThreadBlocked { what, place, since } => {
                write!(f, "{what} ({place}) has blocked a thread for {}", Rounded(*since))
            }
            Event::ThreadFreed { what, place, after } => {
                write!(f, "{what} ({place}) has freed its thread after {}", Rounded(*after))
            }
            Event::WorkersHeld { workers: 1, since } => {
                write!(f, "a worker has been in one poll for {}, in a task that is no session", Rounded(*since))
            }
            Event::WorkersHeld { workers, since } => write!(
                f,
                "{workers} workers have been in one poll each, the first for {}, in tasks that are no sessions",
                Rounded(*since)
            ),
            Event::HeldUp { service, by } => write!(
                f,
                "service `{service}` has its own runtime, and may wait for abandoned sessions that no worker drops: {}",
                by.join("; ")
            ),
            Event::Stalled { since, blocking } => {
                write!(f, "the runtime has taken up no work for {}: ", Rounded(*since))?;
                if blocking.is_empty() {
                    return f.write_str("something that is no service and no session holds every worker");
                }
                f.write_str(&blocking.join("; "))
            }
            Event::Recovered { after } => write!(f, "the runtime takes up work again, after {}", Rounded(*after)),
            Event::FlushFailed { name, error } => write!(f, "flush hook `{name}` panicked: {error}"),
            Event::HandOverStarted { pid } => {
                write!(f, "handing over to process {pid}, which takes over once it is ready")
            }
            Event::HandOverRefused { reason } => write!(f, "hand-over refused: {reason}"),
            Event::HandOverFailed { error } => write!(f, "hand-over failed: {error}"),
            Event::TookOver { pid } => write!(f, "took over from process {pid}"),
            Event::PredecessorEnded { pid } => write!(f, "process {pid}, which served before, has ended"),
            Event::NotifyFailed { error } => write!(f, "cannot notify the process manager: {error}"),
            Event::Abandoned(straggler) => write!(f, "abandoned: {straggler}"),
            Event::MoreAbandoned { rows } => write!(f, "abandoned: and {rows} more rows"),
            Event::Stopped { cause, duration, drained, cancelled, abandoned, exit } => {
                let duration = Rounded(*duration);
                // All faults of a plan were reported when the stop began; this is one line.
                let cause = cause.to_string();
                let cause = cause.lines().next().unwrap_or_default();
                let code = exit.code();
                write!(f, "stopped ({cause}) in {duration}: {drained} sessions drained, ")?;
                if *cancelled > 0 {
                    write!(f, "{cancelled} cancelled, ")?;
                }
                write!(f, "{abandoned} abandoned, exit code {code}")?;
                if let Exit::Forced(signal) = exit {
                    write!(f, " (forced by a second signal, {signal})")?;
                }
                Ok(())
            }
            Event::Missed { count } => {
                write!(f, "{count} events are missing here: they came faster than they were taken")
            }
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

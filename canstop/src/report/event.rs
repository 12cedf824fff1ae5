//! What is reported of each event: its level and fields for programs, and its text for people.

use std::fmt;
use std::time::Duration;

use tracing::Level;

use super::display::{Left, Rounded, Within};
use crate::machine::{Event, Exit, ExitReason};
use crate::settings::Plain;

impl Event {
    pub(super) fn level(&self) -> Level {
        match self {
            Event::ServiceStarted { .. } | Event::ServiceReady { .. } | Event::ServiceStopping { .. } => Level::DEBUG,
            Event::ServiceEnded { reason: ExitReason::Done | ExitReason::Dropped, .. } => Level::DEBUG,
            Event::ServiceEnded { .. } | Event::SessionFailed { .. } => Level::ERROR,
            Event::StatePanicked { .. }
            | Event::ServiceLost { .. }
            | Event::Abandoned(_)
            | Event::MoreAbandoned { .. } => Level::ERROR,
            Event::ServiceRefused { .. } | Event::MainFailed { .. } => Level::ERROR,
            Event::StopRequested { cause, .. } if cause.is_failure() => Level::ERROR,
            Event::StopRequested { .. } | Event::Waiting { .. } => Level::INFO,
            Event::DrainDelayShortened { .. }
            | Event::DuplicateSignal { .. }
            | Event::ReadyIgnored { .. }
            | Event::WaitsForItself { .. }
            | Event::ListenerWarning { .. } => Level::WARN,
            Event::SignalHandlerReplaced { .. } | Event::ServicesNotLinked { .. } => Level::WARN,
            Event::ThreadBlocked { .. } | Event::WorkersHeld { .. } => Level::WARN,
            Event::HeldUp { .. } | Event::NotifyFailed { .. } => Level::WARN,
            Event::ThreadFreed { .. } | Event::Recovered { .. } => Level::INFO,
            Event::HandOverStarted { .. } | Event::TookOver { .. } | Event::PredecessorEnded { .. } => Level::INFO,
            Event::HandOverRefused { .. } => Level::WARN,
            Event::Stalled { .. } | Event::FlushFailed { .. } | Event::HandOverFailed { .. } => Level::ERROR,
            Event::Stopped { exit: Exit::Clean, .. } => Level::INFO,
            Event::Stopped { .. } => Level::ERROR,
            Event::Missed { .. } => Level::WARN,
        }
    }

    /// Emits the event, if the subscriber wants it.
    pub(super) fn emit(&self) {
        // The level is part of an event's static metadata, so there is one event for each.
        macro_rules! event_at {
            ($level:expr, $($field:tt)*) => {
                tracing::event!(target: "canstop", $level, event = self.kind(), $($field)* "{self}")
            };
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
            Event::ServiceStarted { service, run } => event!(service, run,),
            Event::ServiceReady { service } | Event::ServiceStopping { service } | Event::ServiceLost { service } => {
                event!(service,)
            }
            Event::ReadyIgnored { service, location } => event!(service, site = %location,),
            Event::WaitsForItself { service, waiter, location } => event!(service, waiter, site = %location,),
            Event::StatePanicked { service, error } => event!(service, error,),
            Event::ServiceRefused { service, fault } => event!(service, fault,),
            Event::ServiceEnded { service, reason, restart_in } => {
                let restart_in_ms = restart_in.map(milliseconds);
                event!(service, error = reason.error(), restart_in_ms,)
            }
            Event::SessionFailed { name, location, function, module, owner, reason } => {
                event!(session = name, site = %location, function, module, owner, error = reason.error(),)
            }
            Event::ListenerWarning { listener, warning } => event!(listener, warning,),
            Event::MainFailed { error } => event!(error,),
            Event::StopRequested { cause, grace, grace_source, drain_delay, drain_delay_source } => event!(
                %cause,
                grace_ms = milliseconds(*grace),
                grace_source = %grace_source,
                drain_delay_ms = milliseconds(*drain_delay),
                drain_delay_source = %drain_delay_source,
            ),
            Event::DrainDelayShortened { platform, drain_delay, grace, grace_source } => event!(
                %platform,
                drain_delay_ms = milliseconds(*drain_delay),
                grace_ms = milliseconds(*grace),
                grace_source = %grace_source,
            ),
            Event::DuplicateSignal { signal } | Event::SignalHandlerReplaced { signal } => event!(%signal,),
            Event::ServicesNotLinked { services } => event!(services = services.join(", "),),
            Event::Waiting { remaining, sessions, slowest, .. } => {
                event!(sessions, slowest, remaining_ms = milliseconds(*remaining),)
            }
            Event::ThreadBlocked { what, place, since } => {
                event!(what, site = %place, blocked_ms = milliseconds(*since),)
            }
            Event::ThreadFreed { what, place, after } => {
                event!(what, site = %place, blocked_ms = milliseconds(*after),)
            }
            Event::WorkersHeld { workers, since } => event!(workers, blocked_ms = milliseconds(*since),),
            Event::HeldUp { service, by } => event!(service, by = by.join("; "),),
            Event::Stalled { since, .. } => event!(stalled_ms = milliseconds(*since),),
            Event::Recovered { after } => event!(stalled_ms = milliseconds(*after),),
            Event::FlushFailed { name, error } => event!(hook = name, error,),
            Event::HandOverStarted { pid } | Event::TookOver { pid } | Event::PredecessorEnded { pid } => event!(pid,),
            Event::HandOverRefused { reason } => event!(reason,),
            Event::HandOverFailed { error } => event!(error,),
            Event::NotifyFailed { error } => event!(error,),
            Event::Abandoned(straggler) => event!(
                kind = %straggler.kind,
                session = straggler.name,
                site = straggler.location.map(tracing::field::display),
                function = straggler.function,
                label = straggler.label,
                owner = straggler.owner,
                count = straggler.count,
                oldest_ms = straggler.oldest.map(milliseconds),
            ),
            Event::MoreAbandoned { rows } => event!(rows,),
            Event::Missed { count } => event!(count,),
            Event::Stopped { cause, duration, drained, cancelled, abandoned, exit } => event!(
                %cause,
                duration_ms = milliseconds(*duration),
                drained,
                cancelled,
                abandoned,
                exit_code = exit.code(),
            ),
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
                write!(f, "at {location}")?;
                if !function.is_empty() {
                    write!(f, " in {function}")?;
                }
                if let Some(owner) = owner {
                    write!(f, " of service `{owner}`")?;
                }
                write!(f, " {reason}")
            }
            Event::ListenerWarning { listener, warning } => write!(f, "listener `{listener}`: {warning}"),
            Event::MainFailed { error } => write!(f, "main failed: {error}"),
            Event::StopRequested { cause, grace, grace_source, drain_delay, drain_delay_source } => {
                write!(f, "stopping ({cause}), {} ({grace_source})", Within(*grace))?;
                if drain_delay.is_zero() {
                    return Ok(());
                }
                write!(f, ", drain delay {} ({drain_delay_source})", Plain(*drain_delay))
            }
            Event::DrainDelayShortened { platform, drain_delay, grace, grace_source } => {
                let wanted = platform.allowance();
                write!(
                    f,
                    "the drain delay is {}, where {platform} needs {}, because the grace is {} ({grace_source}): requests that \
                     still arrive may fail; set `CANSTOP_GRACE={:?}`, or `CANSTOP_DRAIN_DELAY`",
                    Plain(*drain_delay),
                    Plain(wanted.drain_delay),
                    Plain(*grace),
                    wanted.grace,
                )
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
                write!(f, "waiting for {}{}", waited_for.join(", "), Left(*remaining))?;
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

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

    use super::*;
    use crate::machine::{Activity, Cause, Location, Platform, SettingSource, Signal, Straggler, StragglerKind};

    /// An event as a subscriber received it: the kind, the level and the names of the fields.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<(String, String, BTreeSet<String>)>>);

    impl<S: tracing::Subscriber> Layer<S> for Heard {
        fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
            let mut heard = self.0.lock().unwrap();
            heard.1 = event.metadata().level().to_string().to_lowercase();
            event.record(&mut Fields(&mut heard));
        }
    }

    struct Fields<'a>(&'a mut (String, String, BTreeSet<String>));

    impl Visit for Fields<'_> {
        fn record_str(&mut self, field: &Field, value: &str) {
            match field.name() {
                "event" => self.0.0 = value.to_owned(),
                name => drop(self.0.2.insert(name.to_owned())),
            }
        }

        fn record_debug(&mut self, field: &Field, _value: &dyn fmt::Debug) {
            if field.name() != "message" {
                self.0.2.insert(field.name().to_owned());
            }
        }
    }

    /// One of each kind, with every field.
    fn samples() -> Vec<Event> {
        let service = || "http".to_owned();
        let ms = Duration::from_millis;
        let straggler = Straggler {
            kind: StragglerKind::Session,
            name: Some("request".to_owned()),
            location: Some(Location { file: "main.rs", line: 1 }),
            function: Some("http".to_owned()),
            label: Some("customer 7".to_owned()),
            owner: Some(service()),
            count: 2,
            oldest: Some(ms(100)),
            activity: Activity::Waiting,
        };
        let failed = ExitReason::Failed("disk full".to_owned());
        let (name, location, function, module) =
            (Some("request"), Location { file: "main.rs", line: 1 }, "http", "shop");
        vec![
            Event::ServiceStarted { service: service(), run: 1 },
            Event::ServiceReady { service: service() },
            Event::ReadyIgnored { service: service(), location: Location { file: "main.rs", line: 1 } },
            Event::WaitsForItself {
                service: service(),
                waiter: service(),
                location: Location { file: "main.rs", line: 1 },
            },
            Event::ServiceStopping { service: service() },
            Event::ServiceEnded { service: service(), reason: failed.clone(), restart_in: Some(ms(5)) },
            Event::StatePanicked { service: service(), error: "disk full".to_owned() },
            Event::ServiceLost { service: service() },
            Event::ServiceRefused { service: service(), fault: "two of one name".to_owned() },
            Event::SessionFailed { name, location, function, module, owner: Some(service()), reason: failed },
            Event::ListenerWarning { listener: service(), warning: "no descriptor is free".to_owned() },
            Event::MainFailed { error: "disk full".to_owned() },
            Event::StopRequested {
                cause: Cause::Signal(Signal::Terminate),
                grace: ms(5_000),
                grace_source: SettingSource::Default,
                drain_delay: ms(1_000),
                drain_delay_source: SettingSource::Environment("CANSTOP_DRAIN_DELAY"),
            },
            Event::DrainDelayShortened {
                platform: Platform::Kubernetes,
                drain_delay: ms(1_000),
                grace: ms(5_000),
                grace_source: SettingSource::Code,
            },
            Event::DuplicateSignal { signal: Signal::Interrupt },
            Event::SignalHandlerReplaced { signal: Signal::Interrupt },
            Event::ServicesNotLinked { services: vec![service()] },
            Event::Waiting {
                remaining: ms(900),
                services: vec![service()],
                sessions: 3,
                main: false,
                slowest: Some("GET /orders for 3.2 s".to_owned()),
            },
            Event::ThreadBlocked { what: "service `http`".to_owned(), place: location, since: ms(1_000) },
            Event::ThreadFreed { what: "service `http`".to_owned(), place: location, after: ms(1_000) },
            Event::WorkersHeld { workers: 2, since: ms(1_000) },
            Event::HeldUp { service: service(), by: vec!["session `query`".to_owned()] },
            Event::Stalled { since: ms(1_000), blocking: vec!["service `http`".to_owned()] },
            Event::Recovered { after: ms(1_000) },
            Event::FlushFailed { name: "otel".to_owned(), error: "no connection".to_owned() },
            Event::HandOverStarted { pid: 7 },
            Event::HandOverRefused { reason: "busy".to_owned() },
            Event::HandOverFailed { error: "exit status: 1".to_owned() },
            Event::TookOver { pid: 7 },
            Event::PredecessorEnded { pid: 7 },
            Event::NotifyFailed { error: "no such file".to_owned() },
            Event::Abandoned(straggler),
            Event::MoreAbandoned { rows: 4 },
            Event::Stopped {
                cause: Cause::Finished,
                duration: ms(7),
                drained: 1,
                cancelled: 2,
                abandoned: 0,
                exit: Exit::Clean,
            },
            Event::Missed { count: 5 },
        ]
    }

    #[test]
    fn the_documented_table_is_what_a_subscriber_gets() {
        let rows = include_str!("../../docs/events.md").lines().filter(|line| line.starts_with("| `")).skip(1);
        let rows: Vec<Vec<&str>> =
            rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect();
        assert_eq!(rows.len(), samples().len());
        for (event, row) in samples().into_iter().zip(rows) {
            let heard = Heard::default();
            with_default(tracing_subscriber::registry().with(heard.clone()), || event.emit());
            let (kind, level, fields) = heard.0.lock().unwrap().clone();
            assert_eq!(row[0], format!("`{kind}`"));
            assert!(row[1].contains(&level), "{kind} is emitted as {level}, and documented as {}", row[1]);
            let documented: BTreeSet<_> = row[2].split(", ").map(|field| field.trim_matches('`').to_owned()).collect();
            assert_eq!(fields, documented, "{kind}");
        }
    }
}

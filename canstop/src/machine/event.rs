//! What the program reports: each transition once.

use std::time::Duration;

use super::cause::{Cause, Signal};
use super::exit::Exit;
use super::input::ExitReason;
use super::location::Location;
use super::report::{Report, Straggler};
use super::source::{Platform, SettingSource};

#[doc = include_str!("../../docs/events.md")]
///
/// # Example
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Event, Service};
///
/// Harness::new().run(async |mut sup| {
///     sup.start(Service::new("database", |lifecycle| async move { lifecycle.stopping().await }));
///     assert!(sup.stop().await.is_clean());
///     let kinds = sup.events().iter().map(Event::kind).filter(|kind| kind.starts_with("service_"));
///     let kinds: Vec<_> = kinds.collect();
///     assert_eq!(kinds, ["service_started", "service_ready", "service_stopping", "service_ended"]);
/// });
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A run of a service began. The first one is run 1.
    #[non_exhaustive]
    ServiceStarted {
        /// The service's name; a child's begins with its parent's.
        service: String,
        /// Which run, from 1.
        run: u32,
    },
    /// A service is ready: those that need it may start.
    #[non_exhaustive]
    ServiceReady {
        /// The service's name; a child's begins with its parent's.
        service: String,
    },
    /// `ready()` was called by a service that was ready as soon as it started: it needs
    /// [`Ready::Notify`](crate::Ready::Notify) for the call to mean something.
    #[non_exhaustive]
    ReadyIgnored {
        /// The service's name; a child's begins with its parent's.
        service: String,
        /// Where `ready()` was called.
        location: Location,
    },
    /// Code awaits [`ServiceHandle::stop`](crate::ServiceHandle::stop) or `restart()` of a service that ends
    /// only when this code has: it is that service's own, a child's, or that of a service that needs it. The
    /// request holds, and the future completes at once.
    #[non_exhaustive]
    WaitsForItself {
        /// The service that is to stop.
        service: String,
        /// The service that waits.
        waiter: String,
        /// Where it waits.
        location: Location,
    },
    /// A stop was requested of a service, for good or for its next run.
    #[non_exhaustive]
    ServiceStopping {
        /// The service's name; a child's begins with its parent's.
        service: String,
    },
    /// A run of a service ended. It is the last one unless a restart is announced.
    #[non_exhaustive]
    ServiceEnded {
        /// The service's name; a child's begins with its parent's.
        service: String,
        /// How it ended.
        reason: ExitReason,
        /// The pause until the next run.
        restart_in: Option<Duration>,
    },
    /// The state of a service panicked when it was dropped, after the service's last run.
    #[non_exhaustive]
    StatePanicked {
        /// The service's name; a child's begins with its parent's.
        service: String,
        /// The panic's message.
        error: String,
    },
    /// An optional service failed too often; the program goes on without it.
    #[non_exhaustive]
    ServiceLost {
        /// The service's name; a child's begins with its parent's.
        service: String,
    },
    /// A service that was added to the running program does not fit into its plan.
    #[non_exhaustive]
    ServiceRefused {
        /// The service's name; a child's begins with its parent's.
        service: String,
        /// What is wrong, and what to do about it.
        fault: String,
    },
    /// A session returned an error or panicked. A flood of them is counted in the [`Report`]; not each
    /// of them is an event.
    #[non_exhaustive]
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
    /// A listener accepts nothing for now, or a socket that was passed to the program is not used.
    #[non_exhaustive]
    ListenerWarning {
        /// The listener's name.
        listener: String,
        /// What is wrong, and what to do about it.
        warning: String,
    },
    /// The body of `main` returned an error or panicked.
    #[non_exhaustive]
    MainFailed {
        /// The error or the panic, as text.
        error: String,
    },
    /// The program is asked to stop.
    #[non_exhaustive]
    StopRequested {
        /// Why.
        cause: Cause,
        /// The time there is for it.
        grace: Duration,
        /// Where that was set.
        grace_source: SettingSource,
        /// How much of it everything goes on serving; zero where nothing does.
        drain_delay: Duration,
        /// Where that was set.
        drain_delay_source: SettingSource,
    },
    /// The platform's drain delay was shortened, because the grace is shorter than the platform's. Requests may still
    /// arrive when the services are stopped. Emitted when the program begins to run, and if it sets such a grace later.
    #[non_exhaustive]
    DrainDelayShortened {
        /// The platform.
        platform: Platform,
        /// What is left of its drain delay: a fifth of the grace.
        drain_delay: Duration,
        /// The grace.
        grace: Duration,
        /// Where that was set.
        grace_source: SettingSource,
    },
    /// A signal that changes nothing: it came too close to the first, or a stop was requested already.
    #[non_exhaustive]
    DuplicateSignal {
        /// Which one.
        signal: Signal,
    },
    /// The program, or a library in it, has replaced the handler of a stop signal: this signal no longer stops
    /// the program. Emitted once.
    #[non_exhaustive]
    SignalHandlerReplaced {
        /// Which signal.
        signal: Signal,
    },
    /// Services have registered themselves, and nothing starts them: their crate is not linked. See
    /// [`App::link`](crate::App::link).
    #[non_exhaustive]
    ServicesNotLinked {
        /// Their names.
        services: Vec<String>,
    },
    /// What is waited for, once a second during a stop.
    #[non_exhaustive]
    Waiting {
        /// The time that is left.
        remaining: Duration,
        /// The services that are waited for.
        services: Vec<String>,
        /// How many sessions are.
        sessions: u64,
        /// Is the body of `main`, or its teardown?
        main: bool,
        /// The request that `canstop::http` has served for the longest, and for how long.
        slowest: Option<String>,
    },
    /// A service or session has held a thread of the runtime in one poll for longer than `CANSTOP_BLOCKED`.
    /// One site is reported at most once in ten seconds.
    #[non_exhaustive]
    ThreadBlocked {
        /// What it is, as in "service `http`".
        what: String,
        /// Where it comes from, as `file:line`.
        place: Location,
        /// For how long it has held the thread.
        since: Duration,
    },
    /// A thread that was reported as blocked is free again.
    #[non_exhaustive]
    ThreadFreed {
        /// What had blocked it.
        what: String,
        /// Where that comes from, as `file:line`.
        place: Location,
        /// For how long it had held the thread.
        after: Duration,
    },
    /// Workers of the runtime run code that canstop does not know, such as a task of `tokio::spawn`, and have not
    /// come back to the scheduler for longer than `CANSTOP_BLOCKED`; at a stop, also for less, if something is
    /// abandoned meanwhile. While the program runs, it is reported at most once in ten seconds.
    ///
    /// The numbers are tokio's. A worker renews them whenever it is idle, and otherwise every 61 polls, so that many
    /// long polls in a row look like one.
    #[non_exhaustive]
    WorkersHeld {
        /// How many workers.
        workers: u64,
        /// For how long the first of them.
        since: Duration,
    },
    /// A service with a runtime of its own has not stopped in its time, while sessions of others that were abandoned
    /// are not dropped yet, because no worker is free to drop them. What the service waits for may be theirs, as a
    /// sender of its channel is.
    #[non_exhaustive]
    HeldUp {
        /// The service's name; a child's begins with its parent's.
        service: String,
        /// The sessions, as in "session at src/main.rs:31 in app::main, age 2.4 s, queued".
        by: Vec<String>,
    },
    /// The runtime takes up no new work: its every worker is held. Health and the watchdog of a process
    /// manager are about to fail for it.
    #[non_exhaustive]
    Stalled {
        /// For how long.
        since: Duration,
        /// What holds threads, as in "service `http` (src/main.rs:12) blocks a thread for 1.2 s". It is empty where code holds
        /// them that canstop does not know, as that of a plain `tokio::spawn`.
        blocking: Vec<String>,
    },
    /// The runtime takes up work again.
    #[non_exhaustive]
    Recovered {
        /// For how long it had not.
        after: Duration,
    },
    /// A hook of [`flush`](crate::flush) panicked: what it was to flush may be lost.
    #[non_exhaustive]
    FlushFailed {
        /// The hook's name.
        name: String,
        /// The panic's message.
        error: String,
    },
    /// A new process of this program was started: it takes over once it is ready.
    #[non_exhaustive]
    HandOverStarted {
        /// The new process.
        pid: u32,
    },
    /// A hand-over was requested and is not begun.
    #[non_exhaustive]
    HandOverRefused {
        /// Why not.
        reason: String,
    },
    /// The new process did not become ready. This one goes on as if nothing had been requested.
    #[non_exhaustive]
    HandOverFailed {
        /// What went wrong.
        error: String,
    },
    /// This process took the listeners of another one over, and serves from now on.
    #[non_exhaustive]
    TookOver {
        /// The process that served before.
        pid: u32,
    },
    /// The process that served before this one has ended.
    #[non_exhaustive]
    PredecessorEnded {
        /// That process.
        pid: u32,
    },
    /// The process manager cannot be notified.
    #[non_exhaustive]
    NotifyFailed {
        /// Why not.
        error: String,
    },
    /// Something did not end in time and is abandoned.
    Abandoned(Straggler),
    /// The number of further stragglers, which are not reported one by one.
    #[non_exhaustive]
    MoreAbandoned {
        /// How many.
        rows: usize,
    },
    /// The program has stopped.
    #[non_exhaustive]
    Stopped {
        /// Why.
        cause: Cause,
        /// From the stop request to the end.
        duration: Duration,
        /// How many sessions ended by themselves after the stop request.
        drained: u64,
        /// How many sessions were dropped because they may be: those with `cancel`.
        cancelled: u64,
        /// How many were abandoned.
        abandoned: u64,
        /// How the program ends.
        exit: Exit,
    },
    /// The number of events that are missing here, because the log, the stream or the callback was too slow.
    #[non_exhaustive]
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
            cancelled: report.cancelled,
            abandoned: report.abandoned(),
            exit: report.exit,
        }
    }

    /// The service that it is about, if it is an event of a service.
    pub(crate) fn service(&self) -> Option<&str> {
        match self {
            Event::ServiceStarted { service, .. }
            | Event::ServiceReady { service }
            | Event::ReadyIgnored { service, .. }
            | Event::WaitsForItself { service, .. }
            | Event::ServiceStopping { service }
            | Event::ServiceEnded { service, .. }
            | Event::StatePanicked { service, .. }
            | Event::ServiceLost { service }
            | Event::ServiceRefused { service, .. }
            | Event::HeldUp { service, .. } => Some(service),
            _ => None,
        }
    }

    /// What kind of event it is, in one word: the field `event` of what `tracing` gets.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Event::ServiceStarted { .. } => "service_started",
            Event::ServiceReady { .. } => "service_ready",
            Event::ReadyIgnored { .. } => "ready_ignored",
            Event::WaitsForItself { .. } => "waits_for_itself",
            Event::ServiceStopping { .. } => "service_stopping",
            Event::ServiceEnded { .. } => "service_ended",
            Event::StatePanicked { .. } => "state_panicked",
            Event::ServiceLost { .. } => "service_lost",
            Event::ServiceRefused { .. } => "service_refused",
            Event::SessionFailed { .. } => "session_failed",
            Event::ListenerWarning { .. } => "listener_warning",
            Event::MainFailed { .. } => "main_failed",
            Event::StopRequested { .. } => "stop_requested",
            Event::DrainDelayShortened { .. } => "drain_delay_shortened",
            Event::DuplicateSignal { .. } => "duplicate_signal",
            Event::SignalHandlerReplaced { .. } => "signal_handler_replaced",
            Event::ServicesNotLinked { .. } => "services_not_linked",
            Event::Waiting { .. } => "waiting",
            Event::ThreadBlocked { .. } => "thread_blocked",
            Event::ThreadFreed { .. } => "thread_freed",
            Event::WorkersHeld { .. } => "workers_held",
            Event::HeldUp { .. } => "held_up",
            Event::Stalled { .. } => "stalled",
            Event::Recovered { .. } => "recovered",
            Event::FlushFailed { .. } => "flush_failed",
            Event::HandOverStarted { .. } => "hand_over_started",
            Event::HandOverRefused { .. } => "hand_over_refused",
            Event::HandOverFailed { .. } => "hand_over_failed",
            Event::TookOver { .. } => "took_over",
            Event::PredecessorEnded { .. } => "predecessor_ended",
            Event::NotifyFailed { .. } => "notify_failed",
            Event::Abandoned(_) => "abandoned",
            Event::MoreAbandoned { .. } => "more_abandoned",
            Event::Stopped { .. } => "stopped",
            Event::Missed { .. } => "missed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_service_names_it() {
        let service = || "web".to_owned();
        let ready = Event::ServiceReady { service: service() };
        let stopping = Event::ServiceStopping { service: service() };
        let lost = Event::ServiceLost { service: service() };
        assert_eq!([&ready, &stopping, &lost].map(Event::service), [Some("web"); 3]);
        assert_eq!([&ready, &stopping, &lost].map(Event::kind), ["service_ready", "service_stopping", "service_lost"]);
        let other = Event::TookOver { pid: 7 };
        assert_eq!((other.service(), other.kind()), (None, "took_over"));
    }
}

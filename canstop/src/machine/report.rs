//! What happened, for programs.

use std::time::Duration;

use super::cause::Cause;
use super::exit::Exit;
use super::location::Location;
use super::stage::ServiceOutcome;

/// How a stop went. Shown as text it is what canstop itself says at the end.
///
/// ```
/// use std::time::Duration;
///
/// use canstop::testing::Harness;
/// use canstop::{Activity, Exit, spawn_session};
///
/// Harness::new().run(async |mut sup| {
///     spawn_session!("import", tokio::time::sleep(Duration::from_secs(60)));
///     let report = sup.stop().await;
///     assert_eq!(report.exit, Exit::Abandoned);
///     let straggler = &report.stragglers[0];
///     assert_eq!((straggler.name.as_deref(), straggler.activity), (Some("import"), Activity::Waiting));
///     println!("{report}");
/// });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What asked the program to stop.
    pub cause: Cause,
    /// From the stop request to now.
    pub duration: Duration,
    /// How many sessions ended by themselves after the stop request.
    pub drained: u64,
    /// How many sessions were dropped after the stop request because they may be: those with `cancel`.
    pub cancelled: u64,
    /// How many sessions returned an error or panicked, since the program began.
    pub failed_sessions: u64,
    /// Who did not stop in time, worst first come.
    pub stragglers: Vec<Straggler>,
    /// Every service, in the order in which they were added; of the children that services start, those that
    /// have not ended, and the latest of those that have.
    pub services: Vec<ServiceReport>,
    /// How many children have ended, well or not, and are not among `services` any more.
    pub ended_children: u64,
    /// How the program ends, as far as this is known by now.
    pub exit: Exit,
}

impl Report {
    /// Did everything end well and in time?
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.exit == Exit::Clean
    }

    /// How many services, sessions and blocking calls were left behind.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.stragglers.iter().map(|straggler| straggler.count).sum()
    }
}

/// How one service ended.
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Service, ServiceOutcome};
///
/// Harness::new().run(async |mut sup| {
///     sup.start(Service::new("database", |lifecycle| async move { lifecycle.stopping().await }));
///     let report = sup.stop().await;
///     let database = &report.services[0];
///     assert_eq!((database.name.as_str(), database.outcome), ("database", Some(ServiceOutcome::Stopped)));
///     assert_eq!((database.restarts, &database.last_error), (0, &None));
/// });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceReport {
    /// Its name.
    pub name: String,
    /// How it ended; `None` while it has not.
    pub outcome: Option<ServiceOutcome>,
    /// How often it was started again.
    pub restarts: u32,
    /// The error or panic it had last.
    pub last_error: Option<String>,
}

/// Something that was still there when its time was up. Sessions of one place that do the same are
/// one straggler.
///
/// ```
/// use std::time::Duration;
///
/// use canstop::testing::Harness;
/// use canstop::{Activity, StragglerKind, spawn_session};
/// use tokio::time::sleep;
///
/// Harness::new().run(async |mut sup| {
///     for _ in 0..3 {
///         spawn_session!(sleep(Duration::from_secs(60)));
///     }
///     let report = sup.stop().await;
///     let [straggler] = &report.stragglers[..] else { panic!("{report}") };
///     assert_eq!((straggler.kind, straggler.count), (StragglerKind::Session, 3));
///     assert_eq!(straggler.activity, Activity::Waiting);
///     println!("{}", straggler.location.unwrap()); // src/main.rs:10
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Straggler {
    /// What it is.
    pub kind: StragglerKind,
    /// A service's name, a session's own name if it has one, or `main`.
    pub name: Option<String>,
    /// Where in the source it comes from, as `file:line`.
    pub location: Option<Location>,
    /// The function around it.
    pub function: Option<String>,
    /// What tells a session from the others of its place: `spawn_session!(label = .., ..)`.
    pub label: Option<String>,
    /// The service that a session belongs to.
    pub owner: Option<String>,
    /// How many there are.
    pub count: u64,
    /// How long the oldest has been there; known to a tenth of a second. Of sessions that stand in the
    /// queue it is a lower bound, and exact where sessions get their turn in the order of their spawns.
    /// `None` for sessions where addresses are not known to have free bits: on 32-bit systems, and on
    /// others than Linux, macOS, Windows and FreeBSD.
    pub oldest: Option<Duration>,
    /// What it does.
    pub activity: Activity,
}

/// What kind of thing a [`Straggler`] is.
///
/// ```
/// use canstop::{Report, StragglerKind};
///
/// /// A client has no answer, or an answer that is not complete.
/// fn cut_requests(report: &Report) -> u64 {
///     let requests = report.stragglers.iter().filter(|straggler| straggler.kind == StragglerKind::Request);
///     requests.map(|straggler| straggler.count).sum()
/// }
/// # canstop::testing::Harness::new().run(async |mut sup| assert_eq!(cut_requests(&sup.stop().await), 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StragglerKind {
    /// The body of `main`.
    Main,
    /// A service.
    Service,
    /// A session.
    Session,
    /// A closure on the blocking pool.
    Blocking,
    /// A hook of [`flush`](crate::flush).
    Flush,
    /// A request that `canstop::http` serves. Its method and path are its name.
    Request,
}

/// What a [`Straggler`] was doing when its time was up.
///
/// ```
/// use canstop::{Activity, Straggler};
///
/// fn advice(straggler: &Straggler) -> &'static str {
///     match straggler.activity {
///         Activity::Waiting => "give it a longer grace, or let it listen for the stop",
///         Activity::Blocking { .. } => "put the blocking call into `spawn_blocking_session!`",
///         Activity::Queued => "find out what held every worker",
///         _ => "",
///     }
/// }
/// # drop(advice);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// It waits for something, and holds no thread.
    Waiting,
    /// It holds a thread: it has been in one poll, or one blocking call, for this long.
    #[non_exhaustive]
    Blocking {
        /// Known to a tenth of a second.
        since: Duration,
    },
    /// It was never polled: no worker was free.
    Queued,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_what_was_left_behind() {
        let straggler = |count| Straggler {
            kind: StragglerKind::Session,
            name: None,
            location: None,
            function: None,
            label: None,
            owner: None,
            count,
            oldest: None,
            activity: Activity::Queued,
        };
        let report = |exit, counts: &[u64]| Report {
            cause: Cause::Finished,
            duration: Duration::ZERO,
            drained: 9,
            cancelled: 9,
            failed_sessions: 9,
            stragglers: counts.iter().copied().map(straggler).collect(),
            services: Vec::new(),
            ended_children: 9,
            exit,
        };
        let (clean, abandoned) = (report(Exit::Clean, &[]), report(Exit::Abandoned, &[3, 1]));
        assert_eq!((clean.is_clean(), clean.abandoned()), (true, 0));
        assert_eq!((abandoned.is_clean(), abandoned.abandoned()), (false, 4));
    }
}

//! Why the program stops.

use std::fmt;
use std::time::Duration;

/// A signal that asks the program to stop.
///
/// ```
/// use canstop::{Exit, Signal};
///
/// assert_eq!(Signal::Terminate.to_string(), "SIGTERM");
/// assert_eq!(Exit::Forced(Signal::Terminate).code(), 128 + Signal::Terminate.number());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// `SIGHUP`: the terminal is gone, or a manager asks for the end.
    Hangup,
    /// `SIGINT`, Ctrl-C.
    Interrupt,
    /// `SIGTERM`; on Windows the closing of the console, the log-off and the shutdown.
    Terminate,
}

impl Signal {
    /// The signal's number, as a shell adds it to 128.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Signal::Hangup => 1,
            Signal::Interrupt => 2,
            Signal::Terminate => 15,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signal::Hangup => "SIGHUP",
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        })
    }
}

/// What asked the program to stop. The first one is kept; a later, graver one shows in the
/// [exit code](crate::Exit).
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Cause, Lifecycle};
///
/// Harness::new().run(async |mut sup| {
///     Lifecycle::current().shutdown("the licence has expired");
///     let report = sup.stop().await;
///     assert_eq!(report.cause, Cause::Requested("the licence has expired".to_owned()));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Every service was done and no body of `main` was running.
    Finished,
    /// A signal.
    Signal(Signal),
    /// [`Lifecycle::shutdown`](crate::Lifecycle::shutdown), with its reason.
    Requested(String),
    /// A new process of this program has taken over its listeners.
    #[non_exhaustive]
    HandedOver {
        /// The new process.
        pid: u32,
    },
    /// `main` returned while its call of [`run`](crate::run()) was still waiting.
    MainReturned,
    /// `main` returned an error or panicked, with its text.
    MainFailed(String),
    /// The start failed: the plan had faults, or a service was not ready in time.
    StartFailed(String),
    /// A service failed that is not restarted: its restart policy says so, or it failed too often.
    #[non_exhaustive]
    ServiceFailed {
        /// The service's name.
        service: String,
        /// Its last error or panic, as text.
        error: String,
        /// The limit of failures that it exceeded, if that is why.
        limit: Option<LimitExceeded>,
    },
}

/// How a service exceeded its limit of failures.
///
/// ```
/// use std::time::Duration;
///
/// use canstop::testing::Harness;
/// use canstop::{Cause, Service};
///
/// Harness::new().run(async |mut sup| {
///     let broken = Service::new("broken", |_| async { Err::<(), _>("the disk is full") });
///     sup.start(broken.limit(1, Duration::from_secs(30)));
///     let cause = sup.wait().await.cause;
///     let Cause::ServiceFailed { limit: Some(exceeded), .. } = cause else { panic!("{cause}") };
///     assert_eq!(exceeded.to_string(), "failed 2 times in 30s, more than its limit of 1");
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitExceeded {
    /// How often the service failed within the window.
    pub failures: u32,
    /// How many failures it may have within the window.
    pub limit: u32,
    /// The window of the limit.
    pub window: Duration,
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failures, limit, window } = self;
        let times = if *failures == 1 { "once" } else { &format!("{failures} times") };
        write!(f, "failed {times} in {window:?}, more than its limit of {limit}")
    }
}

impl Cause {
    /// Is this a failure in itself?
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Cause::Finished
            | Cause::Signal(_)
            | Cause::Requested(_)
            | Cause::HandedOver { .. }
            | Cause::MainReturned => false,
            Cause::MainFailed(_) | Cause::StartFailed(_) | Cause::ServiceFailed { .. } => true,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Finished => f.write_str("finished"),
            Cause::Signal(signal) => signal.fmt(f),
            Cause::Requested(reason) => write!(f, "shutdown requested: {reason}"),
            Cause::HandedOver { pid } => write!(f, "handed over to process {pid}"),
            Cause::MainReturned => f.write_str("main returned"),
            Cause::MainFailed(error) => write!(f, "main failed: {error}"),
            Cause::StartFailed(fault) => write!(f, "start failed: {fault}"),
            Cause::ServiceFailed { service, error, limit: None } => write!(f, "service failed: `{service}`: {error}"),
            Cause::ServiceFailed { service, error, limit: Some(limit) } => {
                write!(f, "service failed: `{service}`: {limit}; last error: {error}")
            }
        }
    }
}

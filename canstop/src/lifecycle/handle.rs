//! The [`Lifecycle`].

use std::error::Error;
use std::fmt;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::draining::Draining;
use super::enter::EnterGuard;
use super::ready_hold::ReadyHold;
use super::stopping::{RunUntilStopping, Stopping};
use crate::machine::{Input, Location, Owner, RunId};
use crate::session::{Scope, current_scope, expect_scope};

/// The first parameter of a service: notifies it of the stop, and lets it report its readiness.
///
/// It is cheap to clone and may be moved anywhere. A session gets its own from [`Lifecycle::current`], which works in
/// every task on the data plane, including handlers that another library has spawned.
///
/// ```
/// use canstop::Lifecycle;
/// # async fn next_job() -> u32 { std::future::pending().await }
///
/// #[canstop::service]
/// async fn worker(lifecycle: Lifecycle) {
///     while let Some(job) = lifecycle.run_until_stopping(next_job()).await {
///         println!("job {job}");
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Lifecycle {
    scope: &'static Scope,
    run: RunId,
}

impl Lifecycle {
    pub(crate) fn new(scope: &'static Scope, run: RunId) -> Self {
        Self { scope, run }
    }

    pub(crate) fn scope(&self) -> &'static Scope {
        self.scope
    }

    /// The run of its service that it belongs to.
    pub(crate) fn run_id(&self) -> RunId {
        self.run
    }

    /// The lifecycle of the service, session or `main` whose code calls this. A handler that another
    /// library has spawned gets that of the root.
    ///
    /// Once `main` has called this, a stop request during set-up no longer drops `main` at its next
    /// `.await`: `main` is signalled, and has the grace to end.
    ///
    /// # Panics
    ///
    /// Outside a supervisor, with what to do about it; [`try_current`](Self::try_current) does not.
    #[must_use]
    #[track_caller]
    pub fn current() -> Self {
        Self::of(expect_scope("`Lifecycle::current()`"))
    }

    /// As [`current`](Self::current), for code that also runs without a supervisor.
    ///
    /// # Errors
    ///
    /// [`OutsideSupervisor`], on a thread that no supervisor knows.
    pub fn try_current() -> Result<Self, OutsideSupervisor> {
        current_scope().map(Self::of).ok_or(OutsideSupervisor(()))
    }

    fn of(scope: &'static Scope) -> Self {
        if scope.owner == Owner::Root {
            scope.hub.main_listens();
        }
        Self { scope, run: scope.run_id() }
    }

    /// Completes when the stop is requested. The future is `'static`, so it can be passed to axum's
    /// `with_graceful_shutdown`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a stop request is never withdrawn.
    pub fn stopping(&self) -> Stopping {
        Stopping::new(self.scope, self.run)
    }

    /// Returns true once the stop was requested. This is one relaxed load, cheap enough for a busy loop.
    #[inline]
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.scope.is_stopping(self.run)
    }

    /// Runs a function when this lifecycle's stop is requested, or at once if it was. It is called once, on
    /// another thread.
    ///
    /// It wakes a blocking service out of a call that only ends when something is dropped or sent:
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use canstop::Lifecycle;
    ///
    /// #[canstop::service(blocking)]
    /// fn writer(lifecycle: Lifecycle) {
    ///     let (sender, jobs) = mpsc::channel::<String>();
    ///     lifecycle.on_stopping(move || drop(sender));
    ///     while let Ok(job) = jobs.recv() {
    ///         println!("{job}");
    ///     }
    /// }
    /// ```
    ///
    /// While it runs it is a session of the service: it is waited for, named if it does not return in
    /// time, and its panic is reported. A callback whose run ends without a stop is dropped when the
    /// next run begins, unless sessions of the service are left.
    #[track_caller]
    pub fn on_stopping(&self, callback: impl FnOnce() + Send + 'static) {
        self.scope.supervisor().on_stopping(self.scope, self.run, callback);
    }

    /// Returns true once the stop of the program was requested. While `drain_delay` lasts, this is true and
    /// [`is_stopping`](Self::is_stopping) is not: a health check turns red, and everything goes on serving.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.scope.hub.program_deadline().is_some()
    }

    /// Completes when the stop of the program is requested, before [`stopping`](Self::stopping) if there is a
    /// `drain_delay`. The future owns what it needs.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a program that drains never serves again.
    pub fn draining(&self) -> Draining {
        Draining::new(self.scope.hub)
    }

    /// When the program ends, whatever is still running; `None` before its stop was requested. See
    /// [`deadline`](Self::deadline) for the end of this service's own step.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use canstop::testing::Harness;
    /// use canstop::Lifecycle;
    ///
    /// /// Asks for as many rows as there is time for.
    /// #[canstop::service]
    /// async fn export(lifecycle: Lifecycle) {
    ///     assert_eq!(lifecycle.program_deadline(), None);
    ///     lifecycle.stopping().await;
    ///     let rest = lifecycle.program_deadline().unwrap() - tokio::time::Instant::now();
    ///     assert!(rest <= Duration::from_secs(5));
    /// }
    ///
    /// Harness::new().grace(Duration::from_secs(5)).run(async |mut sup| {
    ///     sup.start(export());
    ///     assert!(sup.stop().await.is_clean());
    /// });
    /// ```
    #[must_use]
    pub fn program_deadline(&self) -> Option<Instant> {
        self.scope.hub.program_deadline()
    }

    /// Runs a future until it completes or a stop is requested. Returns `None` if the stop is first.
    ///
    /// If a stop was already requested at the first poll, the future is not polled at all. After that the future is
    /// always polled first, so that a completed result is not lost.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped if the stop is first, so it must be cancel safe, as in `tokio::select!`.
    pub fn run_until_stopping<F: Future>(&self, future: F) -> RunUntilStopping<F> {
        RunUntilStopping::new(future, self.stopping())
    }

    /// Reports that this service is ready: services that name it in `after(..)` may start.
    ///
    /// A service whose body calls this is ready from then on, any other service as soon as it was started. Further
    /// calls change nothing, and neither does a call in `main`.
    #[track_caller]
    pub fn ready(&self) {
        // A call in a loop must not flood the control plane: of each run, the first one counts.
        if let Owner::Service(id) = self.scope.owner
            && self.scope.announces_ready(self.run)
        {
            let location = std::panic::Location::caller();
            let location = Location { file: location.file(), line: location.line() };
            self.scope.hub.event(Input::ServiceReady { id, run: self.run, location });
        }
    }

    /// Keeps the program from being ready until the guard is dropped: `/readyz` answers `held`, and the start is
    /// not complete. Use it where only the program knows that it is not ready, as during a migration. The reason
    /// appears in the status, and never in an answer to a probe.
    ///
    /// ```
    /// # async fn migrate() {}
    /// # async fn example(lifecycle: canstop::Lifecycle) {
    /// let hold = lifecycle.hold_ready("migrating");
    /// migrate().await;
    /// drop(hold);
    /// # }
    /// ```
    pub fn hold_ready(&self, reason: impl Into<String>) -> ReadyHold {
        ReadyHold::new(self.scope.hub, reason.into())
    }

    /// When the owner of this lifecycle is abandoned; `None` before its stop was requested.
    ///
    /// It is the end of the owner's own step of the stop. For a dependency it is later than for its dependents.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.scope.until()
    }

    /// A token that is cancelled when the stop is requested, for libraries that take one. To cancel the token itself
    /// stops nothing else.
    ///
    /// ```
    /// use canstop::testing::Harness;
    /// use canstop::Lifecycle;
    ///
    /// #[canstop::service]
    /// async fn consumer(lifecycle: Lifecycle) {
    ///     // As a library takes it.
    ///     lifecycle.token().cancelled_owned().await;
    /// }
    ///
    /// Harness::new().run(async |mut sup| {
    ///     sup.start(consumer());
    ///     assert!(sup.stop().await.is_clean());
    /// });
    /// ```
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        let token = self.scope.token().child_token();
        if self.is_stopping() {
            token.cancel();
        }
        token
    }

    /// Requests the stop of the whole program. The reason is reported, and is part of the last line.
    ///
    /// ```
    /// use canstop::testing::Harness;
    /// use canstop::{Cause, Exit, Lifecycle};
    ///
    /// #[canstop::service]
    /// async fn licence(lifecycle: Lifecycle) {
    ///     lifecycle.shutdown("the licence has expired");
    /// }
    ///
    /// Harness::new().run(async |mut sup| {
    ///     sup.start(licence());
    ///     let report = sup.wait().await;
    ///     assert_eq!(report.exit, Exit::Clean);
    ///     assert_eq!(report.cause, Cause::Requested("the licence has expired".to_owned()));
    /// });
    /// ```
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.scope.hub.request_shutdown(reason.into());
    }

    /// Lets a thread outside the data plane call `tokio::spawn`, `spawn_session!` and [`Lifecycle::current`] while it
    /// holds the guard, as tokio's `Handle::enter` does.
    ///
    /// ```no_run
    /// # fn example(lifecycle: canstop::Lifecycle) {
    /// std::thread::spawn(move || {
    ///     let _guard = lifecycle.enter();
    ///     canstop::spawn_session!(async { println!("from a thread of my own") });
    /// });
    /// # }
    /// ```
    pub fn enter(&self) -> EnterGuard {
        EnterGuard::new(self.scope)
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("of", &self.scope.name())
            .field("is_stopping", &self.is_stopping())
            .finish_non_exhaustive()
    }
}

/// There is no supervisor here. See [`Lifecycle::try_current`].
///
/// ```
/// use canstop::Lifecycle;
///
/// /// A library's function, which also runs in programs without canstop.
/// fn is_stopping() -> bool {
///     Lifecycle::try_current().is_ok_and(|lifecycle| lifecycle.is_stopping())
/// }
///
/// assert!(!is_stopping());
/// println!("{}", Lifecycle::try_current().unwrap_err());
/// ```
#[derive(Debug)]
pub struct OutsideSupervisor(());

impl fmt::Display for OutsideSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no supervisor here: neither `#[canstop::main]` nor `canstop::App` runs this thread")
    }
}

impl Error for OutsideSupervisor {}

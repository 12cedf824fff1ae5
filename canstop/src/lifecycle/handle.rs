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

/// A service's first parameter: how it hears that it should stop, and how it is heard.
///
/// It is cheap to clone and may be moved anywhere. A session asks for its own with
/// [`Lifecycle::current`], which works in every task on the data plane, also in handlers that
/// another library spawned.
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

    /// Which life of its service it belongs to.
    pub(crate) fn run_id(&self) -> RunId {
        self.run
    }

    /// The lifecycle of the service, session or `main` whose code calls this. A handler that another
    /// library spawned gets the edge's.
    ///
    /// Once `main` has asked for it, a stop request during set-up no longer drops `main` at its next
    /// `.await`: it is told, and given the grace.
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
            scope.supervisor.main_listens();
        }
        Self { scope, run: scope.run_id() }
    }

    /// Completes when it is time to stop. The future owns what it needs, so it fits axum's
    /// `with_graceful_shutdown`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a stop that was requested once stays so.
    pub fn stopping(&self) -> Stopping {
        Stopping::new(self.scope, self.run)
    }

    /// Is it time to stop? One relaxed load, cheap enough for a busy loop.
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
        self.scope.supervisor.on_stopping(self.scope, self.run, callback);
    }

    /// Returns true once the stop of the program was requested. While `drain_delay` lasts, this is true and
    /// [`is_stopping`](Self::is_stopping) is not: a health check turns red, and everything goes on serving.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.scope.supervisor.program_deadline().is_some()
    }

    /// Completes when the stop of the program is requested, before [`stopping`](Self::stopping) if there is a
    /// `drain_delay`. The future owns what it needs.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a program that drains never serves again.
    pub fn draining(&self) -> Draining {
        Draining::new(self.scope.supervisor)
    }

    /// When the program ends, whatever is left then; `None` before its stop was requested. See
    /// [`deadline`](Self::deadline) for the end of this service's own step.
    #[must_use]
    pub fn program_deadline(&self) -> Option<Instant> {
        self.scope.supervisor.program_deadline()
    }

    /// Runs a future until it is done, `Some`, or a stop is requested, `None`.
    ///
    /// If a stop was already requested when this is first polled, the future is not polled at all;
    /// from then on the future is asked first, so that what it has done is not lost.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the stop comes first, so it must be cancel safe as it must be in
    /// `tokio::select!`.
    pub fn run_until_stopping<F: Future>(&self, future: F) -> RunUntilStopping<F> {
        RunUntilStopping::new(future, self.stopping())
    }

    /// Says that this service is ready: those that name it in `after(..)` may start.
    ///
    /// A service whose body says so is ready when it does, any other as soon as it was started.
    /// Saying it again changes nothing, nor does saying it in `main`.
    #[track_caller]
    pub fn ready(&self) {
        // A call in a loop must not flood the control plane: of each run, the first one counts.
        if let Owner::Service(id) = self.scope.owner
            && self.scope.announces_ready(self.run)
        {
            let location = std::panic::Location::caller();
            let location = Location { file: location.file(), line: location.line() };
            self.scope.supervisor.event(Input::ServiceReady { id, run: self.run, location });
        }
    }

    /// Keeps the program from being ready until the guard is dropped: `/readyz` answers `held`, and a start is
    /// not complete. Use it where readiness is known to the program only, as during a migration. The reason is
    /// for people who look at the program, and never part of an answer to a probe.
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
        ReadyHold::new(self.scope.supervisor, reason.into())
    }

    /// When whatever holds this lifecycle will be left behind; `None` before it was told to stop.
    ///
    /// It is the end of its own step of the stop, which for a service that others depend on is later
    /// than for those others.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.scope.until()
    }

    /// A token that is cancelled when it is time to stop, for libraries that want one. Cancelling
    /// the token itself stops nothing else.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        let token = self.scope.token().child_token();
        if self.is_stopping() {
            token.cancel();
        }
        token
    }

    /// Asks the whole program to stop. The reason is told, and stands in the last line.
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.scope.supervisor.request_shutdown(reason.into());
    }

    /// Lets a thread that is not the data plane's call `tokio::spawn`, `spawn_session!` and
    /// [`Lifecycle::current`] while it holds the guard, as tokio's `Handle::enter` does.
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
            .field("of", &self.scope.name)
            .field("is_stopping", &self.is_stopping())
            .finish_non_exhaustive()
    }
}

/// There is no supervisor here. See [`Lifecycle::try_current`].
#[derive(Debug)]
pub struct OutsideSupervisor(());

impl fmt::Display for OutsideSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no supervisor here: neither `#[canstop::main]` nor `canstop::App` runs this thread")
    }
}

impl Error for OutsideSupervisor {}

//! A service that was started.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use tokio::sync::oneshot;

use crate::machine::{Input, Location, Owner, ServiceOutcome, ServiceState, Wait};
use crate::observe::{ServiceStatus, status_of};
use crate::session::{Hub, Message, ServiceSnapshot, SnapshotReceiver, current_scope};

/// A handle to a started service. To drop it changes nothing; a clone refers to the same service.
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Lifecycle, ServiceOutcome, ServiceState};
///
/// #[canstop::service]
/// async fn cache(lifecycle: Lifecycle, size: usize) {
///     println!("{size} entries");
///     lifecycle.stopping().await;
/// }
///
/// Harness::new().run(async |_| {
///     let cache = canstop::start(cache(1_000));
///     cache.restart().await.unwrap(); // waits until the next run is ready
///     assert_eq!(cache.status().state, ServiceState::Ready);
///     assert_eq!(cache.stop().await, ServiceOutcome::Stopped); // the program goes on
/// });
/// ```
#[derive(Clone)]
pub struct ServiceHandle {
    pub(super) hub: &'static Hub,
    pub(super) name: String,
    pub(super) location: Location,
    pub(super) restartable: bool,
    pub(super) snapshot: SnapshotReceiver,
}

impl ServiceHandle {
    /// The service's name; a child's name begins with its parent's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until the service, its sessions and its children have ended, and are not restarted.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait(&self) -> ServiceOutcome {
        let Err(outcome) = self.wait_for(|_| None::<Infallible>).await;
        outcome
    }

    /// Stops the service, and waits until it has ended, with its sessions and its children. Its dependents and its
    /// children stop before it.
    ///
    /// Code that must end first cannot wait: that of the service itself, of its sessions, of its children, and of
    /// services that need it. There the stop is requested, the future completes at once with
    /// [`ServiceOutcome::Stopped`], and an event warns of it.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the service stops whether this is awaited to its end or not.
    #[track_caller]
    pub fn stop(&self) -> impl Future<Output = ServiceOutcome> + Send + '_ {
        let location = caller();
        async move {
            if let Ok((id, before)) = self.wait_for(|snapshot| Some((snapshot.id?, snapshot.before))).await {
                let waits_for_itself = self.waits_for_itself(Wait { id, before, restart: false }, location);
                self.hub.event(Input::StopService { id, before });
                if waits_for_itself.await {
                    return ServiceOutcome::Stopped;
                }
            }
            self.wait().await
        }
    }

    /// Restarts the service, and waits until the new run is ready.
    ///
    /// Its stop is requested after that of its children and of services that are bound to it. When it has
    /// stopped, and its sessions are over, it starts again, without a pause, and then those that are bound to it
    /// do. Services that only name it in `after` go on meanwhile. What has not stopped in the service's grace is
    /// abandoned, as in any stop. A service that waits for a restart anyway begins at once.
    ///
    /// Code that must end first cannot wait: that of the service itself, of its sessions, of its children, and of
    /// services that are bound to it. There the restart is requested, the future completes at once, and an event
    /// warns of it.
    ///
    /// # Errors
    ///
    /// The service was made to run once, or it is over, or ends instead.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the service is restarted whether this is awaited to its end or not.
    #[track_caller]
    pub fn restart(&self) -> impl Future<Output = Result<(), RestartError>> + Send + '_ {
        let location = caller();
        async move {
            let error = |kind| RestartError { service: self.name.clone(), kind };
            if !self.restartable {
                return Err(error(RestartErrorKind::MadeOnce));
            }
            let over = |outcome| error(RestartErrorKind::Over(outcome));
            let known = |snapshot: &ServiceSnapshot| Some((snapshot.id?, snapshot.before));
            let (id, before) = self.wait_for(known).await.map_err(over)?;
            let waits_for_itself = self.waits_for_itself(Wait { id, before, restart: true }, location);
            // The snapshot may be a moment old: the control plane knows which run is to end.
            let (asked_in, run) = oneshot::channel();
            self.hub.send(Message::Restart { id, before, asked_in });
            if waits_for_itself.await {
                return Ok(());
            }
            let run = run.await;
            let begun_anew = |snapshot: &ServiceSnapshot| {
                let is_new = run.as_ref().is_ok_and(|run| snapshot.run > *run);
                (is_new && snapshot.state == ServiceState::Ready).then_some(())
            };
            self.wait_for(begun_anew).await.map_err(over)
        }
    }

    /// Whether the code that calls this would wait for its own end. The question is asked at once, and so
    /// answered before any request that follows.
    fn waits_for_itself(&self, wait: Wait, location: Location) -> impl Future<Output = bool> + Send + use<> {
        let waiter = match current_scope().map(|scope| scope.home().owner) {
            Some(Owner::Service(waiter)) => Some(waiter),
            _ => None,
        };
        let answer = waiter.map(|waiter| {
            let (for_itself, answer) = oneshot::channel();
            self.hub.send(Message::Wait { waiter, wait, location, for_itself });
            answer
        });
        async move {
            match answer {
                Some(answer) => answer.await.unwrap_or(false),
                None => false,
            }
        }
    }

    /// The state of the service at this moment. It is available even while every worker is blocked.
    #[must_use]
    pub fn status(&self) -> ServiceStatus {
        status_of(&self.name, self.location, &self.snapshot.get())
    }

    /// Waits until `what` returns a value for the service's snapshot, or the service has ended.
    async fn wait_for<T>(&self, what: impl Fn(&ServiceSnapshot) -> Option<T>) -> Result<T, ServiceOutcome> {
        let found = self.snapshot.wait_for(|known| match known.is_over() {
            Some(outcome) => Some(Err(outcome)),
            None => what(known).map(Ok),
        });
        // The supervisor is gone: what had not ended by then was abandoned.
        found.await.unwrap_or_else(|known| {
            Err(match known.state {
                ServiceState::Over(outcome) => outcome,
                _ if known.id.is_none() => ServiceOutcome::NeverStarted,
                _ => ServiceOutcome::Abandoned,
            })
        })
    }
}

#[track_caller]
fn caller() -> Location {
    let caller = std::panic::Location::caller();
    Location { file: caller.file(), line: caller.line() }
}

impl fmt::Debug for ServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandle").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a service was not restarted. See [`ServiceHandle::restart`].
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Service, ServiceOutcome};
///
/// Harness::new().run(async |mut sup| {
///     let import = sup.start(Service::new("import", |_| async {}));
///     import.wait().await;
///     let error = import.restart().await.unwrap_err();
///     assert_eq!(error.outcome(), Some(ServiceOutcome::Done));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartError {
    service: String,
    kind: RestartErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RestartErrorKind {
    MadeOnce,
    Over(ServiceOutcome),
}

impl RestartError {
    /// How the service ended, if that is why.
    #[must_use]
    pub fn outcome(&self) -> Option<ServiceOutcome> {
        match self.kind {
            RestartErrorKind::MadeOnce => None,
            RestartErrorKind::Over(outcome) => Some(outcome),
        }
    }
}

impl fmt::Display for RestartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, kind } = self;
        match kind {
            RestartErrorKind::MadeOnce => write!(
                f,
                "service `{service}` was made to run once and cannot be restarted; make it with `Service::new`, or let \
                 its state be `Clone` and its `restart` not \"never\""
            ),
            RestartErrorKind::Over(outcome) => {
                write!(f, "service `{service}` is over ({outcome:?}) and cannot be restarted; start it anew")
            }
        }
    }
}

impl Error for RestartError {}

//! Handing services over to the supervisor, and waiting for it.

use std::fmt;

use tokio::sync::{oneshot, watch};

use super::service::{AnyService, Service};
use crate::lifecycle::Lifecycle;
use crate::machine::{Event, Fate, Report};
use crate::session::{Message, NewService, Scope, Standing, Supervisor, expect_scope};

/// Starts a service: at [`run`](run()) if the program is still setting up, else as soon as what it
/// needs is ready.
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[track_caller]
pub fn start<R>(service: Service<R>) -> ServiceHandle {
    hand_over(expect_scope("`canstop::start`").supervisor, service.into_any(), true)
}

pub(crate) fn hand_over(supervisor: &'static Supervisor, service: AnyService, by_user: bool) -> ServiceHandle {
    let AnyService { spec, factory } = service;
    let (sender, standing) = watch::channel(Standing::default());
    let name = spec.name.clone();
    let spec = Box::new(spec);
    supervisor.send(Message::Add(NewService { spec, factory, standing: sender, by_user }));
    ServiceHandle { supervisor, name, standing }
}

impl Lifecycle {
    /// Starts another service. As [`start`](start()), but it needs no current supervisor.
    pub fn start<R>(&self, service: Service<R>) -> ServiceHandle {
        hand_over(self.scope().supervisor, service.into_any(), true)
    }
}

/// Starts the services, and returns when a stop was requested and all is drained. What stands after
/// it in `main` is the teardown.
///
/// If `main` returns without having called it, it is called then.
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
///
/// # Cancel safety
///
/// Dropped, it waits no longer; a `main` that then returns requests a stop.
pub async fn run() -> Report {
    let scope: &'static Scope = expect_scope("`canstop::run`");
    let (done, drained) = oneshot::channel();
    scope.supervisor.send(Message::Run(done));
    match drained.await {
        Ok(report) => report,
        // The supervisor is over, and the process is about to be.
        Err(_) => std::future::pending().await,
    }
}

/// A service that was started. Dropping it changes nothing.
#[derive(Clone)]
pub struct ServiceHandle {
    supervisor: &'static Supervisor,
    name: String,
    standing: watch::Receiver<Standing>,
}

impl ServiceHandle {
    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until the service and its sessions are over for good.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn wait(&self) -> Fate {
        let mut standing = self.standing.clone();
        loop {
            let Standing { fate, drained, .. } = *standing.borrow_and_update();
            if let Some(fate) = fate.filter(|_| drained) {
                return fate;
            }
            if standing.changed().await.is_err() {
                // The supervisor is gone: what had not ended by then was left behind.
                return fate.unwrap_or(Fate::Abandoned);
            }
        }
    }

    /// Stops the service, those that need it before it, and waits for its sessions.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the service stops whether this is awaited to its end or not.
    pub async fn stop(&self) -> Fate {
        let mut standing = self.standing.clone();
        if let Ok(known) = standing.wait_for(|standing| standing.id.is_some()).await
            && let Some(id) = known.id
        {
            self.supervisor.event(Event::StopService(id));
        }
        self.wait().await
    }
}

impl fmt::Debug for ServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandle").field("name", &self.name).finish_non_exhaustive()
    }
}

//! Starting services, and waiting for the end of the program.

use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::handle::ServiceHandle;
use super::service::{AnyService, Service};
use crate::failure::install_hook_again;
use crate::lifecycle::Lifecycle;
use crate::machine::{Owner, Parent, Report};
use crate::session::{Hub, Message, NewService, Scope, SnapshotSender, expect_scope};

/// Starts a service: at [`run`](run()) if the program is still setting up, otherwise as soon as its dependencies
/// are ready.
///
/// ```standalone_crate
/// #[canstop::service]
/// async fn greeter(_: canstop::Lifecycle, name: &'static str) {
///     println!("hello, {name}");
/// }
///
/// #[canstop::main]
/// async fn main() {
///     canstop::start(greeter("Ada"));
///     canstop::start(greeter("Grace").name("second greeter"));
/// }
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[track_caller]
pub fn start<R>(service: Service<R>) -> ServiceHandle {
    let hub = expect_scope("`canstop::start`").hub;
    hand_over(hub, service.into_any(), true)
}

/// Passes a service to the control plane. `by_user` is true for services that `main`, or code it has started, adds.
pub(crate) fn hand_over(hub: &'static Hub, service: AnyService, by_user: bool) -> ServiceHandle {
    let AnyService { spec, factory, own_runtime } = service;
    let sender = SnapshotSender::new(hub.off_control());
    let snapshot = sender.subscribe();
    let (name, location, restartable) = (spec.name.clone(), spec.location, spec.restartable);
    if by_user {
        // A separate message: a signal that overtakes the service itself must not drop a `main` that serves.
        hub.main_listens();
    }
    hub.send(Message::Add(NewService { spec: Box::new(spec), factory, own_runtime, snapshot: sender, by_user }));
    ServiceHandle { hub, name, location, restartable, snapshot }
}

impl Lifecycle {
    /// Starts another service.
    ///
    /// If this is a service's lifecycle, the new service is its child: it is named `parent/child` in every report,
    /// stops with its parent and before it, and ends with the current run of its parent, because the next run starts
    /// its own children. It becomes ready, fails and is restarted as any service. The children of one parent have
    /// different names; `after` and `bound_to` refer to a sibling first, and otherwise to a service further out.
    ///
    /// In `main`, and with [`start`](start()) anywhere, there is no parent: the service stops when the program does.
    ///
    /// ```
    /// use canstop::Lifecycle;
    /// # fn read_config() -> Vec<String> { vec![] }
    ///
    /// #[canstop::service]
    /// async fn listener(lifecycle: Lifecycle, port: String) {
    ///     println!("listening on {port}");
    ///     lifecycle.stopping().await;
    /// }
    ///
    /// #[canstop::service]
    /// async fn server(lifecycle: Lifecycle) {
    ///     for port in read_config() {
    ///         let name = format!("port-{port}");
    ///         lifecycle.start(listener(port).name(name)); // `server/port-80`
    ///     }
    ///     lifecycle.stopping().await;
    /// }
    /// ```
    pub fn start<R>(&self, service: Service<R>) -> ServiceHandle {
        let mut service = service.into_any();
        let home = self.scope().home();
        let Owner::Service(id) = home.owner else {
            return hand_over(home.hub, service, true);
        };
        service.spec.name = format!("{}/{}", home.name(), service.spec.name);
        service.spec.parent = Some(Parent { id, run: self.run_id() });
        hand_over(home.hub, service, false)
    }
}

/// Starts the services, and returns when a stop was requested and everything has drained. The code after it in `main`
/// is the teardown.
///
/// If `main` returns without having called it, the services run then.
///
/// ```standalone_crate
/// use canstop::spawn_session;
///
/// #[canstop::main]
/// async fn main() {
///     spawn_session!(async { println!("a piece of work") });
///     let report = canstop::run().await;
///     // The teardown: every session has ended.
///     assert!(report.is_clean(), "{report}");
/// }
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
///
/// # Cancel safety
///
/// If it is dropped, the services run on; a `main` that then returns requests a stop.
pub async fn run() -> Report {
    let scope: &'static Scope = expect_scope("`canstop::run`");
    // By now the program has set its own hook, if it has one.
    install_hook_again();
    scope.hub.run_is_called();
    let (done, drained) = oneshot::channel();
    scope.hub.send(Message::Run(done));
    match drained.await {
        Ok(report) => {
            if scope.is_spent() {
                // The root has begun anew, and `main` belongs to it from its next poll on.
                yield_now().await;
            }
            report
        }
        // The supervisor is over, and the process is about to be.
        Err(_) => std::future::pending().await,
    }
}

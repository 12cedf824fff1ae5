//! The messages of the data plane to the control plane.

use std::pin::Pin;

use tokio::sync::{mpsc, oneshot};

use super::service_snapshot::SnapshotSender;
use super::site::Site;
use crate::machine::{Event, ExitReason, Input, Location, Report, RunId, ServiceId, ServiceSpec, Wait};

/// One run of a service: the future of its body.
pub(crate) type RunFuture = Pin<Box<dyn Future<Output = ExitReason> + Send>>;

/// Makes the runs of a service. It is called on the data plane as the service's body, because it runs the user's
/// `Clone`.
pub(crate) type Factory = Box<dyn FnMut(RunId) -> RunFuture + Send>;

/// A message of the data plane to the control plane.
pub(crate) enum Message {
    /// An input of the machine.
    Input(Input),
    /// A service to supervise.
    Add(NewService),
    /// `run()` was called; the report is sent when everything has drained.
    Run(oneshot::Sender<Report>),
    /// A request to restart a service. The answer is the run that was current then. `before` as in
    /// [`Input::RestartService`].
    Restart { id: ServiceId, before: RunId, asked_in: oneshot::Sender<RunId> },
    /// A service wants to wait for the end or the restart of another one. The answer is whether it would wait for
    /// itself, which is also reported.
    Wait { waiter: ServiceId, wait: Wait, location: Location, for_itself: oneshot::Sender<bool> },
    /// An event to report that needs no decision.
    Emit(Event),
    /// A test asks for the end of the grace: what is left is abandoned now.
    #[cfg(feature = "testing")]
    EndGrace,
    /// The program requests a hand-over; the answer is sent there. A signal waits for none.
    #[cfg(all(unix, feature = "handover"))]
    HandOver(Option<oneshot::Sender<HandOverAnswer>>),
    /// Sockets for the process manager to store under this name.
    #[cfg(all(target_os = "linux", feature = "fd_store"))]
    Store { name: String, fds: Vec<std::os::fd::OwnedFd> },
    /// What the process manager stores under this name is no longer needed.
    #[cfg(all(target_os = "linux", feature = "fd_store"))]
    Unstore { name: String },
    /// The data plane is gone: every future was dropped or abandoned.
    DataPlaneGone,
    /// Services that have registered themselves in a program that links no crate.
    NotLinked(Vec<String>),
    /// The program could not be launched: nothing runs, and nothing will.
    LaunchFailed,
}

/// The answer to a request for a hand-over: the new process, or whether the request was refused and why.
#[cfg(all(unix, feature = "handover"))]
pub(crate) type HandOverAnswer = Result<u32, (bool, String)>;

/// A service to supervise.
pub(crate) struct NewService {
    pub(crate) spec: Box<ServiceSpec>,
    pub(crate) factory: Factory,
    /// Its runs have a thread and a runtime of their own.
    pub(crate) own_runtime: bool,
    /// What its handles read.
    pub(crate) snapshot: SnapshotSender,
    /// It was passed by `main`, or by code that `main` has started; it did not register itself.
    pub(crate) by_user: bool,
}

/// A session that returned an error or panicked.
#[derive(Debug)]
pub(crate) struct SessionFailure {
    pub(crate) site: &'static Site,
    /// The name of the service that owns it; `None` is the root.
    pub(crate) owner: Option<String>,
    pub(crate) reason: ExitReason,
}

/// The control plane's ends of its channels.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) messages: mpsc::UnboundedReceiver<Message>,
    pub(crate) failures: mpsc::Receiver<SessionFailure>,
}

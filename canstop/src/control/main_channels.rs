//! The channels between the control plane and the main thread.

use std::sync::mpsc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::machine::Exit;
use crate::session::{Message, Supervisor};

/// The control plane's ends.
#[derive(Debug)]
pub(crate) struct MainChannels {
    /// Cancelled when the body of `main` is to be dropped.
    pub(crate) drop_main: CancellationToken,
    /// Dropped when everything is decided and the data plane may shut down.
    pub(super) finished: Option<oneshot::Sender<()>>,
    pub(super) exit: mpsc::Sender<Exit>,
}

impl MainChannels {
    /// Both ends for a program.
    pub(super) fn new(supervisor: &'static Supervisor) -> (Self, ControlPlane) {
        let drop_main = CancellationToken::new();
        let (finish, finished) = oneshot::channel();
        let (exit_sender, exit) = mpsc::channel();
        let channels = Self { drop_main: drop_main.clone(), finished: Some(finish), exit: exit_sender };
        (channels, ControlPlane { supervisor, drop_main, finished, exit })
    }

    /// The ends of a supervisor whose main thread is a test.
    #[cfg(feature = "testing")]
    pub(crate) fn of_test() -> Self {
        Self { drop_main: CancellationToken::new(), finished: None, exit: mpsc::channel().0 }
    }
}

impl ControlPlane {
    /// Ends the control plane of a program that cannot be launched, and waits until it has ended.
    pub(crate) fn cancel(self) {
        self.supervisor.send(Message::LaunchFailed);
        // Nothing is sent: the control thread drops its end.
        let _ = self.exit.recv();
    }
}

/// The main thread's ends.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    pub(crate) supervisor: &'static Supervisor,
    pub(crate) drop_main: CancellationToken,
    pub(crate) finished: oneshot::Receiver<()>,
    pub(crate) exit: mpsc::Receiver<Exit>,
}

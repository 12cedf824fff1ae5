//! `SIGINT` and `SIGTERM`.
//!
//! Not `SIGHUP` and `SIGQUIT`: daemons use the one to reload, and the other asks for a core dump.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::machine::Signal;

/// The stop signals of this process.
#[derive(Debug)]
pub(in crate::control) struct Signals {
    interrupt: Stream,
    terminate: Stream,
}

impl Signals {
    /// Installs the handlers. From here on none of these signals ends the process by itself.
    ///
    /// # Errors
    ///
    /// If the system refuses a handler.
    pub(in crate::control) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one. Cancel safe.
    pub(in crate::control) async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            Some(()) = self.terminate.recv() => Signal::Terminate,
            else => std::future::pending().await,
        }
    }
}

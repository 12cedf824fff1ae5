//! Ctrl-C and Ctrl-Break as an interrupt; the end of the console, the log-on or the system as a
//! termination.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown};
use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

use super::Delivery;
use crate::machine::Signal;

/// The stop signals of this process.
#[derive(Debug)]
pub(in crate::control) struct Signals {
    ctrl_c: CtrlC,
    ctrl_break: CtrlBreak,
    close: CtrlClose,
    logoff: CtrlLogoff,
    shutdown: CtrlShutdown,
}

impl Signals {
    /// Installs the handlers. From here on none of these events ends the process by itself.
    ///
    /// # Errors
    ///
    /// If the system refuses a handler.
    pub(in crate::control) fn listen() -> io::Result<Self> {
        Ok(Self {
            ctrl_c: ctrl_c()?,
            ctrl_break: ctrl_break()?,
            close: ctrl_close()?,
            logoff: ctrl_logoff()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// The next one. Cancel safe.
    pub(in crate::control) async fn next(&mut self) -> Delivery {
        tokio::select! {
            // A key and a program send the same Ctrl-C here. A program that wants the drain delay sends Ctrl-Break.
            Some(()) = self.ctrl_c.recv() => Delivery { from_terminal: true, ..Delivery::now(Signal::Interrupt) },
            Some(()) = self.ctrl_break.recv() => Delivery::now(Signal::Interrupt),
            Some(()) = self.close.recv() => Delivery::now(Signal::Terminate),
            Some(()) = self.logoff.recv() => Delivery::now(Signal::Terminate),
            Some(()) = self.shutdown.recv() => Delivery::now(Signal::Terminate),
            else => std::future::pending().await,
        }
    }
}

/// What the guard of the exit waits by. The signals come by tokio, so it only waits for time and nudges.
#[derive(Debug)]
pub(in crate::control) struct Waiter(());

static NUDGED: Mutex<bool> = Mutex::new(false);
static NUDGE: Condvar = Condvar::new();

impl Waiter {
    /// Cannot fail here.
    pub(in crate::control) fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    /// There are no forks here.
    pub(in crate::control) fn is_at_home() -> bool {
        true
    }

    /// The control thread installs the handlers.
    pub(in crate::control) fn listen() -> io::Result<()> {
        Ok(())
    }

    /// Waits until [`nudge`](Self::nudge) is called or this time is over.
    pub(in crate::control) fn wait(&self, limit: Option<Duration>) {
        let nudged = NUDGED.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = limit.unwrap_or(Duration::from_secs(3_600));
        let waited = NUDGE.wait_timeout_while(nudged, limit, |nudged| !*nudged);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    /// Lets [`wait`](Self::wait) return.
    pub(in crate::control) fn nudge() {
        *NUDGED.lock().unwrap_or_else(PoisonError::into_inner) = true;
        NUDGE.notify_one();
    }

    /// The signals come by [`Signals`].
    pub(in crate::control) fn take() -> Vec<Delivery> {
        Vec::new()
    }
}

/// Handlers are a list here: no handler replaces another one.
pub(in crate::control) fn replaced_handler() -> Option<Signal> {
    None
}

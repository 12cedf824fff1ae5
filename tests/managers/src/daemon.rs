//! A process that a test has started and ends.

use std::process::{Child, Command, ExitStatus, Stdio};

use canstop_tests::Signal;

use crate::eventually;

/// A running process. Dropped, it gets SIGTERM and is waited for.
#[derive(Debug)]
pub struct Daemon(Child);

impl Daemon {
    /// Starts it. Its standard streams are the command's own, except that its input is empty.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().expect("the program is installed"))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal. Nothing happens if it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if !self.has_ended() {
            signal.send_to(self.0.id());
        }
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// If it never ends.
    #[must_use]
    pub fn wait(mut self) -> ExitStatus {
        assert!(eventually(|| self.has_ended()), "it does not end");
        self.0.wait().expect("it is a child")
    }

    /// Waits until it has ended by itself, and kills it if it does not.
    pub fn reap(&mut self) {
        if !eventually(|| self.has_ended()) {
            // Best effort: it may have ended just now.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it is a child").is_some()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.signal(Signal::Terminate);
        self.reap();
    }
}

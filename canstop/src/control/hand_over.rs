//! What the control plane holds of a hand-over.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::signals::unblock;
use crate::handover::{Predecessor, Program, Successor};
use crate::machine::HandOver;
use crate::session::{HandOverAnswer, Message, Supervisor};
use crate::settings::Resolved;

pub(super) type Request = oneshot::Sender<HandOverAnswer>;

/// What is known of hand-overs before the control plane runs.
#[derive(Debug)]
pub(super) struct HandOverSetup {
    program: Program,
    predecessor: Option<Predecessor>,
    timeout: Option<Duration>,
}

impl HandOverSetup {
    pub(super) fn new(resolved: &Resolved, predecessor: Option<Predecessor>) -> Self {
        let program = Program::of_this_process();
        Self { program, predecessor, timeout: resolved.upgrade_timeout }
    }
}

/// The control plane's part of a hand-over.
#[derive(Debug)]
pub(super) struct HandOvers {
    setup: HandOverSetup,
    successor: Option<Successor>,
    /// Who requested the hand-over that goes on.
    pub(super) accepted: Option<Request>,
    /// Who requests one in this moment.
    pub(super) asking: Option<Request>,
}

impl HandOvers {
    /// Listens for the signal, and to the old process.
    pub(super) fn start(setup: HandOverSetup, supervisor: &'static Supervisor) -> io::Result<Self> {
        let mut requests = signal(SignalKind::user_defined2())?;
        // The parent may have blocked it.
        unblock([SignalKind::user_defined2().as_raw_value()])?;
        tokio::spawn(async move {
            while requests.recv().await.is_some() {
                supervisor.send(Message::HandOver(None));
            }
        });
        if let Some(predecessor) = &setup.predecessor {
            predecessor.watch(supervisor)?;
        }
        Ok(Self { setup, successor: None, accepted: None, asking: None })
    }

    /// What the machine is to know.
    pub(super) fn for_machine(&self) -> HandOver {
        let is_first = std::process::id() == 1;
        let never = is_first.then_some("this process has PID 1, and its end is the end of the container");
        HandOver::new(never, self.setup.timeout, self.predecessor().map(Predecessor::pid))
    }

    /// The old process, if this one takes over from one.
    pub(super) fn predecessor(&self) -> Option<&Predecessor> {
        self.setup.predecessor.as_ref()
    }

    /// The new process, if this one hands over.
    pub(super) fn successor(&self) -> Option<&Successor> {
        self.successor.as_ref()
    }

    /// Starts a new process.
    pub(super) fn spawn(&mut self, attempt: u32, supervisor: &'static Supervisor) {
        self.successor = Successor::start(self.setup.program.clone(), attempt, supervisor);
    }
}

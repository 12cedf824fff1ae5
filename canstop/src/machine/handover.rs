//! What is known of a hand-over: to a new process of this program, and from an old one.

use std::time::Duration;

use super::time::Time;

/// How long a new process may take to become ready, unless the program sets another time.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(60);

/// What happened to a hand-over.
///
/// The number of an attempt makes late news of an earlier new process harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(all(unix, feature = "handover")), allow(dead_code, reason = "only that feature sends these"))]
pub(crate) enum HandOverInput {
    /// A signal, or the program itself, requests one.
    Requested,
    /// The new process runs.
    Spawned { attempt: u32, pid: u32 },
    /// The new process has everything ready, and waits for the word to serve.
    SuccessorReady { attempt: u32 },
    /// The new process could not be started, or is gone.
    SuccessorEnded { attempt: u32, error: String },
    /// The old process lets this one serve.
    TookOver,
    /// The old process is gone.
    PredecessorEnded,
}

/// What to do for a hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HandOverAction {
    /// Start the new process, and pass it the listeners.
    Spawn { attempt: u32 },
    /// End the new process at once.
    Kill { attempt: u32 },
    /// Answer the request that came last: it is refused.
    Refuse { reason: String },
    /// Answer the request that was accepted: this process goes on.
    Fail { error: String },
    /// Let the new process serve, name it to the process manager, and answer the request. From now on this process
    /// notifies no manager.
    Commit { pid: u32 },
    /// Report to the old process that this one is ready.
    Announce,
    /// Accept connections, answer probes and notify the process manager, which the old process did until now.
    Serve,
    /// Close the sockets of the old process that no listener has taken.
    CloseUnclaimed,
}

/// The new process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Successor {
    /// It has until then to become ready.
    Starting { pid: Option<u32>, until: Time },
    /// It has been killed, and is not gone yet.
    Killed,
    /// It serves.
    Serving,
}

/// The old process, from which this one takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Predecessor {
    /// It serves.
    Serving { pid: u32, announced: bool },
    /// It stops.
    Stopping { pid: u32 },
}

/// The hand-over of one program: in which it is the old process, the new one, or both in turn.
#[derive(Clone, Debug)]
pub(crate) struct HandOver {
    /// Why this process never hands over; `None` if it may.
    never: Option<&'static str>,
    timeout: Duration,
    attempt: u32,
    successor: Option<Successor>,
    predecessor: Option<Predecessor>,
}

impl Default for HandOver {
    fn default() -> Self {
        let never = Some("this program does not take part in hand-overs");
        Self { never, timeout: UPGRADE_TIMEOUT, attempt: 0, successor: None, predecessor: None }
    }
}

#[cfg_attr(not(all(unix, feature = "handover")), allow(dead_code, reason = "only that feature enables hand-overs"))]
impl HandOver {
    /// A program that may hand over, unless there is a reason against it. `predecessor` is the process from which it
    /// takes over.
    pub(crate) fn new(never: Option<&'static str>, timeout: Option<Duration>, predecessor: Option<u32>) -> Self {
        let predecessor = predecessor.map(|pid| Predecessor::Serving { pid, announced: false });
        Self { never, timeout: timeout.unwrap_or(UPGRADE_TIMEOUT), predecessor, ..Self::default() }
    }
}

impl HandOver {
    /// Begins an attempt, or gives the reason why not. `obstacle` is what the rest of the program has against it.
    pub(super) fn begin(&mut self, now: Time, obstacle: Option<&str>) -> Result<u32, String> {
        if let Some(reason) = self.never.or(obstacle) {
            return Err(reason.to_owned());
        }
        if let Some(Predecessor::Serving { pid, .. } | Predecessor::Stopping { pid }) = self.predecessor {
            return Err(format!("busy, the process before this one ({pid}) has not ended yet"));
        }
        match self.successor {
            None => {
                self.attempt += 1;
                self.successor = Some(Successor::Starting { pid: None, until: now + self.timeout });
                Ok(self.attempt)
            }
            Some(Successor::Starting { pid: Some(pid), .. }) => Err(format!("busy, process {pid} is starting")),
            Some(_) => Err("busy, a new process is there already".to_owned()),
        }
    }

    fn is_current(&self, attempt: u32) -> bool {
        attempt == self.attempt
    }

    pub(super) fn spawned(&mut self, attempt: u32, new_pid: u32) -> bool {
        match &mut self.successor {
            Some(Successor::Starting { pid, .. }) if attempt == self.attempt => {
                *pid = Some(new_pid);
                true
            }
            _ => false,
        }
    }

    /// The new process is ready. Returns its pid, if it may serve from now on.
    pub(super) fn ready(&mut self, attempt: u32) -> Option<u32> {
        let Some(Successor::Starting { pid: Some(pid), .. }) = self.successor else { return None };
        if !self.is_current(attempt) {
            return None;
        }
        self.successor = Some(Successor::Serving);
        Some(pid)
    }

    /// The new process is gone. Returns true if the attempt fails by that.
    pub(super) fn ended(&mut self, attempt: u32) -> bool {
        if !self.is_current(attempt) {
            return false;
        }
        match self.successor {
            Some(Successor::Starting { .. }) => {
                self.successor = None;
                true
            }
            Some(Successor::Killed) => {
                self.successor = None;
                false
            }
            Some(Successor::Serving) | None => false,
        }
    }

    /// Gives up on a new process that is starting: it is to be killed. Returns its attempt.
    pub(super) fn give_up(&mut self) -> Option<u32> {
        self.deadline()?;
        self.successor = Some(Successor::Killed);
        Some(self.attempt)
    }

    /// Until when the new process has time, while it starts.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.successor {
            Some(Successor::Starting { until, .. }) => Some(until),
            _ => None,
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Gives the new process more time, for a span in which this one did not run.
    pub(super) fn extend(&mut self, span: Duration) {
        if let Some(Successor::Starting { until, .. }) = &mut self.successor {
            *until = *until + span;
        }
    }

    /// This process is ready. Returns true if the old one must learn of it, which is once.
    pub(super) fn announce(&mut self) -> bool {
        match &mut self.predecessor {
            Some(Predecessor::Serving { announced, .. }) => !std::mem::replace(announced, true),
            _ => false,
        }
    }

    /// The old process lets this one serve, or is gone. Returns its pid the first time.
    pub(super) fn take_over(&mut self) -> Option<u32> {
        let Some(Predecessor::Serving { pid, .. }) = self.predecessor else { return None };
        self.predecessor = Some(Predecessor::Stopping { pid });
        Some(pid)
    }

    /// The old process is gone. Returns its pid, once.
    pub(super) fn predecessor_ended(&mut self) -> Option<u32> {
        match self.predecessor.take()? {
            Predecessor::Serving { pid, .. } | Predecessor::Stopping { pid } => Some(pid),
        }
    }
}

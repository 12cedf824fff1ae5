//! Judges hand-overs: which process serves when, and that a failed one changes nothing.

use std::time::Duration;

use super::{Broken, Oracle, law};
use crate::machine::handover::{HandOver, HandOverAction, HandOverInput};
use crate::machine::state::State;
use crate::machine::time::Time;

/// The new process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Successor {
    Starting { attempt: u32, pid: Option<u32>, until: Time },
    Killed { attempt: u32 },
    Serving { pid: u32 },
}

/// The inputs and actions of hand-overs so far.
#[derive(Clone, Debug, Default)]
pub(super) struct HandOverBook {
    /// How long a new process may take; `None` if the program does not take part in hand-overs.
    timeout: Option<Duration>,
    attempts: u32,
    successor: Option<Successor>,
    /// The old process, and whether it is stopping.
    predecessor: Option<(u32, bool)>,
    announced: bool,
    due: Due,
}

/// What the machine must do before the current call returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Due {
    answer: bool,
    commit: Option<u32>,
    /// It must report a failure and answer the request.
    fail: bool,
    serve: bool,
    close: bool,
    /// The new process was killed before its timeout, which only a stop may do.
    stop: bool,
}

impl Oracle {
    /// Lets the program take part in hand-overs. Call it before the first input.
    pub(in crate::machine::tests) fn take_part_in_hand_overs(
        &mut self,
        timeout: Duration,
        predecessor: Option<u32>,
    ) -> HandOver {
        let predecessor_book = predecessor.map(|pid| (pid, false));
        self.hand_over =
            HandOverBook { timeout: Some(timeout), predecessor: predecessor_book, ..HandOverBook::default() };
        HandOver::new(None, Some(timeout), predecessor)
    }

    /// The hand-over inputs that may come next.
    pub(in crate::machine::tests) fn hand_over_inputs(&self) -> Vec<HandOverInput> {
        let &HandOverBook { timeout, attempts: attempt, successor, predecessor, .. } = &self.hand_over;
        let mut inputs = Vec::new();
        if timeout.is_some() {
            inputs.push(HandOverInput::Requested);
        }
        if successor.is_some() {
            inputs.push(HandOverInput::Spawned { attempt, pid: 2 });
            inputs.push(HandOverInput::SuccessorReady { attempt });
            inputs.push(HandOverInput::SuccessorReady { attempt: attempt - 1 });
            inputs.push(HandOverInput::SuccessorEnded { attempt, error: String::new() });
        }
        if predecessor.is_some() {
            inputs.extend([HandOverInput::TookOver, HandOverInput::PredecessorEnded]);
        }
        inputs
    }

    pub(super) fn note_hand_over(&mut self, input: &HandOverInput) {
        let book = &mut self.hand_over;
        match input {
            HandOverInput::Requested => book.due.answer = true,
            &HandOverInput::Spawned { attempt: of, pid: new } => {
                if let Some(Successor::Starting { attempt, pid, .. }) = &mut book.successor
                    && *attempt == of
                {
                    *pid = Some(new);
                }
            }
            &HandOverInput::SuccessorReady { attempt: of } => match book.successor {
                Some(Successor::Starting { attempt, pid, .. }) if attempt == of => book.due.commit = pid,
                _ => {}
            },
            HandOverInput::SuccessorEnded { attempt: of, .. } => match book.successor {
                Some(Successor::Starting { attempt, .. }) if attempt == *of => {
                    book.successor = None;
                    book.due.fail = true;
                }
                Some(Successor::Killed { attempt }) if attempt == *of => book.successor = None,
                _ => {}
            },
            HandOverInput::TookOver => {
                if let Some((_, stops)) = &mut book.predecessor {
                    book.due.serve = !std::mem::replace(stops, true);
                }
            }
            HandOverInput::PredecessorEnded => {
                if let Some((_, stops)) = book.predecessor.take() {
                    book.due.serve = !stops;
                    book.due.close = true;
                }
            }
        }
    }

    pub(super) fn judge_hand_over(&mut self, action: &HandOverAction) -> Result<(), Broken> {
        let now = self.call.now;
        let may_begin = self.may_hand_over();
        let book = &mut self.hand_over;
        match action {
            &HandOverAction::Spawn { attempt } => {
                law!(std::mem::take(&mut book.due.answer), "a new process is started without a request");
                law!(may_begin, "a new process must not be started now: {book:?}");
                law!(attempt > book.attempts, "attempt {attempt} is used twice");
                book.attempts = attempt;
                let until = now + book.timeout.unwrap_or_default();
                book.successor = Some(Successor::Starting { attempt, pid: None, until });
            }
            HandOverAction::Refuse { .. } => {
                law!(std::mem::take(&mut book.due.answer), "a refusal without a request");
                law!(!may_begin, "a request is refused without a reason: {book:?}");
            }
            &HandOverAction::Kill { attempt: of } => {
                let Some(Successor::Starting { attempt, until, .. }) = book.successor else {
                    return Err(Broken(format!("there is no process to kill: {book:?}")));
                };
                law!(attempt == of, "attempt {of} is killed, but {attempt} is starting");
                book.successor = Some(Successor::Killed { attempt });
                book.due.fail = true;
                book.due.stop = now < until;
            }
            HandOverAction::Fail { .. } => {
                law!(std::mem::take(&mut book.due.fail), "a hand-over fails without a reason: {book:?}");
            }
            &HandOverAction::Commit { pid } => {
                law!(book.due.commit.take() == Some(pid), "process {pid} serves before it is ready: {book:?}");
                law!(self.stop.is_none(), "process {pid} serves after a stop request");
                book.successor = Some(Successor::Serving { pid });
                self.call.must_stop = true;
            }
            HandOverAction::Announce => {
                law!(!std::mem::replace(&mut book.announced, true), "the process announces itself twice");
                law!(
                    matches!(book.predecessor, Some((_, false))),
                    "there is no old process to announce itself to: {book:?}"
                );
                law!(self.stop.is_none(), "the process announces itself during its stop");
            }
            HandOverAction::Serve => {
                law!(std::mem::take(&mut book.due.serve), "the process serves before the old one stops: {book:?}");
            }
            HandOverAction::CloseUnclaimed => {
                law!(std::mem::take(&mut book.due.close), "sockets of the old process are closed before it ends");
            }
        }
        Ok(())
    }

    /// Returns true if a new process may be started.
    fn may_hand_over(&self) -> bool {
        let HandOverBook { timeout, successor, predecessor, .. } = &self.hand_over;
        let is_free = timeout.is_some() && successor.is_none() && predecessor.is_none();
        is_free && self.started && self.stop.is_none()
    }

    /// Returns true once another process serves.
    pub(super) fn is_handed_over(&self) -> bool {
        matches!(self.hand_over.successor, Some(Successor::Serving { .. }))
    }

    /// Judges a stop whose cause is that process.
    pub(super) fn judge_handed_over(&self, pid: u32) -> Result<(), Broken> {
        let serves = self.hand_over.successor == Some(Successor::Serving { pid });
        law!(serves, "the cause of the stop is process {pid}, which does not serve");
        Ok(())
    }

    /// Nothing due is left undone, and no new process is left running during a stop or beyond its timeout.
    pub(super) fn judge_hand_over_settled(&mut self, state: &State) -> Result<(), Broken> {
        let now = self.call.now;
        let must_stop = std::mem::take(&mut self.hand_over.due.stop);
        let book = &self.hand_over;
        law!(!must_stop || self.stop.is_some(), "the new process was killed before its timeout");
        law!(self.over || book.due == Due::default(), "left undone: {:?}", book.due);
        if let Some(Successor::Starting { until, .. }) = book.successor {
            law!(self.stop.is_none(), "the stop has begun, and the new process still runs");
            law!(now < until, "the new process is late, and still runs");
            let in_time = state.wake_at().is_some_and(|wake_at| wake_at <= until);
            law!(in_time, "no wake is set for the timeout of the new process");
        }
        let is_expected = matches!(book.predecessor, Some((_, false)));
        let is_ready = state.has_started() && self.stop.is_none();
        law!(!is_expected || !is_ready || book.announced, "the process is ready, and has not announced itself");
        Ok(())
    }

    /// Time in which the process was frozen does not count against a new one.
    pub(super) fn extend_hand_over(&mut self, span: Duration) {
        if let Some(Successor::Starting { until, .. }) = &mut self.hand_over.successor {
            *until = *until + span;
        }
    }
}

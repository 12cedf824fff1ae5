//! Judges hand-overs: who serves when, and that nothing changes where one fails.

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

/// What was heard and seen of hand-overs.
#[derive(Clone, Debug, Default)]
pub(super) struct HandOverBook {
    /// How long a new process may take; `None` in a program that takes no part.
    timeout: Option<Duration>,
    attempts: u32,
    successor: Option<Successor>,
    /// The old process, and whether it stops.
    predecessor: Option<(u32, bool)>,
    announced: bool,
    due: Due,
}

/// What must be done before the call that is judged returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Due {
    answer: bool,
    commit: Option<u32>,
    /// A failure must be reported, and answered.
    fail: bool,
    serve: bool,
    close: bool,
    /// It was killed before its time was up, so a stop must be requested.
    stop: bool,
}

impl Oracle {
    /// The program takes part in hand-overs. It must be called before the first event.
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

    /// What may happen to hand-overs next.
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
                law!(std::mem::take(&mut book.due.answer), "a new process is started, and nobody asked");
                law!(may_begin, "a new process is started, which must not be now: {book:?}");
                law!(attempt > book.attempts, "attempt {attempt} is used twice");
                book.attempts = attempt;
                let until = now + book.timeout.unwrap_or_default();
                book.successor = Some(Successor::Starting { attempt, pid: None, until });
            }
            HandOverAction::Refuse { .. } => {
                law!(std::mem::take(&mut book.due.answer), "nobody asked, and is refused");
                law!(!may_begin, "a request is refused without a reason: {book:?}");
            }
            &HandOverAction::Kill { attempt: of } => {
                let Some(Successor::Starting { attempt, until, .. }) = book.successor else {
                    return Err(Broken(format!("nothing is there to be killed: {book:?}")));
                };
                law!(attempt == of, "attempt {of} is killed");
                book.successor = Some(Successor::Killed { attempt });
                book.due.fail = true;
                book.due.stop = now < until;
            }
            HandOverAction::Fail { .. } => {
                law!(std::mem::take(&mut book.due.fail), "a hand-over fails without a reason: {book:?}");
            }
            &HandOverAction::Commit { pid } => {
                law!(book.due.commit.take() == Some(pid), "process {pid} serves, and was not ready: {book:?}");
                law!(self.stop.is_none(), "process {pid} serves, and a stop was requested");
                book.successor = Some(Successor::Serving { pid });
                self.call.must_stop = true;
            }
            HandOverAction::Announce => {
                law!(!std::mem::replace(&mut book.announced, true), "it announces itself twice");
                law!(matches!(book.predecessor, Some((_, false))), "it announces itself to nobody: {book:?}");
                law!(self.stop.is_none(), "it announces itself, and stops");
            }
            HandOverAction::Serve => {
                law!(std::mem::take(&mut book.due.serve), "it serves before the old process stops: {book:?}");
            }
            HandOverAction::CloseUnclaimed => {
                law!(std::mem::take(&mut book.due.close), "it closes sockets of the old process, which is there");
            }
        }
        Ok(())
    }

    /// May a new process be started?
    fn may_hand_over(&self) -> bool {
        let HandOverBook { timeout, successor, predecessor, .. } = &self.hand_over;
        let is_free = timeout.is_some() && successor.is_none() && predecessor.is_none();
        is_free && self.started && self.stop.is_none()
    }

    /// Another process serves.
    pub(super) fn is_handed_over(&self) -> bool {
        matches!(self.hand_over.successor, Some(Successor::Serving { .. }))
    }

    /// The stop for which the new process is the cause.
    pub(super) fn judge_handed_over(&self, pid: u32) -> Result<(), Broken> {
        let serves = self.hand_over.successor == Some(Successor::Serving { pid });
        law!(serves, "it stops because process {pid} serves, and it does not");
        Ok(())
    }

    /// Nothing that is due is left undone, and no new process is left to itself.
    pub(super) fn judge_hand_over_settled(&mut self, state: &State) -> Result<(), Broken> {
        let now = self.call.now;
        let must_stop = std::mem::take(&mut self.hand_over.due.stop);
        let book = &self.hand_over;
        law!(!must_stop || self.stop.is_some(), "the new process was killed before its time was up");
        law!(self.over || book.due == Due::default(), "this was left undone: {:?}", book.due);
        if let Some(Successor::Starting { until, .. }) = book.successor {
            law!(self.stop.is_none(), "it stops, and the new process goes on");
            law!(now < until, "the new process is late, and goes on");
            let in_time = state.wake_at().is_some_and(|wake_at| wake_at <= until);
            law!(in_time, "it does not want to be woken at the end of the new process's time");
        }
        let is_expected = matches!(book.predecessor, Some((_, false)));
        let is_ready = state.has_started() && self.stop.is_none();
        law!(!is_expected || !is_ready || book.announced, "it is ready, and does not announce itself");
        Ok(())
    }

    /// A frozen process gives a new one more time.
    pub(super) fn extend_hand_over(&mut self, span: Duration) {
        if let Some(Successor::Starting { until, .. }) = &mut self.hand_over.successor {
            *until = *until + span;
        }
    }
}

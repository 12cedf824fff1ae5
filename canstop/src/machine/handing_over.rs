//! Handing over to a new process of this program, and taking over from an old one.
//!
//! The old process goes on serving until the new one reports that it is ready. Then the old one lets it serve, and
//! stops without a drain delay. If the new one fails, is late, or a stop is requested meanwhile, it is killed, and
//! nothing else has changed: until it was allowed to serve, it accepted nothing.

use std::time::Duration;

use super::action::Action;
use super::budget::Allowance;
use super::cause::Cause;
use super::event::Event;
use super::handover::{HandOver, HandOverAction, HandOverInput};
use super::state::State;
use super::time::Time;

impl State {
    /// Notes what this process knows of hand-overs when it starts.
    #[cfg_attr(not(all(unix, feature = "handover")), allow(dead_code, reason = "only that feature enables hand-overs"))]
    pub(crate) fn set_hand_over(&mut self, hand_over: HandOver) {
        self.hand_over = hand_over;
    }

    pub(super) fn hand_over_happened(&mut self, now: Time, input: HandOverInput) {
        match input {
            HandOverInput::Requested => self.begin_hand_over(now),
            HandOverInput::Spawned { attempt, pid } => {
                if self.hand_over.spawned(attempt, pid) {
                    self.emit(Event::HandOverStarted { pid });
                }
            }
            HandOverInput::SuccessorReady { attempt } => self.commit_hand_over(now, attempt),
            HandOverInput::SuccessorEnded { attempt, error } => {
                if self.hand_over.ended(attempt) {
                    self.hand_over_failed(format!("{error}; this process goes on serving"));
                }
            }
            HandOverInput::TookOver => self.take_over(),
            HandOverInput::PredecessorEnded => {
                self.take_over();
                if let Some(pid) = self.hand_over.predecessor_ended() {
                    self.do_for_hand_over(HandOverAction::CloseUnclaimed);
                    self.emit(Event::PredecessorEnded { pid });
                }
            }
        }
    }

    fn begin_hand_over(&mut self, now: Time) {
        let obstacle = if self.phase.is_stopping() {
            Some("a stop was requested")
        } else if !self.has_started() {
            Some("this process is not ready yet")
        } else {
            None
        };
        match self.hand_over.begin(now, obstacle) {
            Ok(attempt) => self.do_for_hand_over(HandOverAction::Spawn { attempt }),
            Err(reason) => {
                self.emit(Event::HandOverRefused { reason: reason.clone() });
                self.do_for_hand_over(HandOverAction::Refuse { reason });
            }
        }
    }

    /// The new process serves before this one begins to stop.
    fn commit_hand_over(&mut self, now: Time, attempt: u32) {
        let Some(pid) = self.hand_over.ready(attempt) else { return };
        self.do_for_hand_over(HandOverAction::Commit { pid });
        let allowance = Allowance { drain_delay: Duration::ZERO, ..self.allowance };
        self.request_stop_since(now, Cause::HandedOver { pid }, allowance);
    }

    /// Kills a new process that has used up its time.
    pub(super) fn end_late_hand_over(&mut self, now: Time) {
        if self.hand_over.deadline().is_some_and(|until| now >= until) {
            let timeout = self.hand_over.timeout();
            self.abort_hand_over(format!(
                "the new process was not ready within the upgrade_timeout of {timeout:?}; this process goes on serving"
            ));
        }
    }

    /// Kills a new process that is starting, if there is one.
    pub(super) fn abort_hand_over(&mut self, error: impl Into<String>) {
        if let Some(attempt) = self.hand_over.give_up() {
            self.do_for_hand_over(HandOverAction::Kill { attempt });
            self.hand_over_failed(error.into());
        }
    }

    fn hand_over_failed(&mut self, error: String) {
        self.emit(Event::HandOverFailed { error: error.clone() });
        self.do_for_hand_over(HandOverAction::Fail { error });
    }

    /// Reports to the old process that everything is ready here.
    pub(super) fn announce_to_predecessor(&mut self) {
        if self.has_started() && !self.phase.is_stopping() && self.hand_over.announce() {
            self.do_for_hand_over(HandOverAction::Announce);
        }
    }

    fn take_over(&mut self) {
        if let Some(pid) = self.hand_over.take_over() {
            self.do_for_hand_over(HandOverAction::Serve);
            self.emit(Event::TookOver { pid });
        }
    }

    fn do_for_hand_over(&mut self, action: HandOverAction) {
        self.actions.push(Action::HandOver(action));
    }
}

//! Doing what the machine decided about a hand-over.

use super::event_loop::EventLoop;
use super::hand_over::Request;
use crate::handover::{Predecessor, Successor};
use crate::health;
use crate::listen;
use crate::machine::{HandOverAction, HandOverInput, Input, Time, handed_over};
use crate::session::HandOverAnswer;

impl EventLoop {
    pub(super) fn request_hand_over(&mut self, now: Time, request: Option<Request>) {
        match &mut self.operations.hand_overs {
            Some(hand_overs) => hand_overs.asking = request,
            None => {
                let reason = "this program does not take part in hand-overs".to_owned();
                self.answer_hand_over(request, Err((true, reason)));
            }
        }
        self.step_at(now, Input::HandOver(HandOverInput::Requested));
    }

    pub(super) fn perform_hand_over(&mut self, action: HandOverAction) {
        let Some(hand_overs) = &mut self.operations.hand_overs else { return };
        match action {
            HandOverAction::Spawn { attempt } => {
                hand_overs.accepted = hand_overs.asking.take();
                hand_overs.spawn(attempt, self.supervisor);
            }
            HandOverAction::Kill { attempt } => {
                let successor = hand_overs.successor().filter(|successor| successor.attempt() == attempt);
                successor.into_iter().for_each(Successor::kill);
            }
            HandOverAction::Refuse { reason } => {
                let asking = hand_overs.asking.take();
                self.answer_hand_over(asking, Err((true, reason)));
            }
            HandOverAction::Fail { error } => {
                let accepted = hand_overs.accepted.take();
                self.answer_hand_over(accepted, Err((false, error)));
            }
            HandOverAction::Commit { pid } => {
                let accepted = hand_overs.accepted.take();
                // The manager learns of the new process first: it takes no message of one that it does not know.
                self.notify(handed_over(pid));
                self.operations.notifier().leave();
                listen::leave_files();
                health::stop_accepting();
                let hand_overs = self.operations.hand_overs.as_ref();
                hand_overs.and_then(|hand_overs| hand_overs.successor()).into_iter().for_each(Successor::serve);
                self.answer_hand_over(accepted, Ok(pid));
            }
            HandOverAction::Announce => hand_overs.predecessor().into_iter().for_each(Predecessor::announce),
            HandOverAction::Serve => {
                listen::serve();
                let sent = self.operations.notifier().release();
                sent.unwrap_or_else(|error| self.report_notify_failure(error));
            }
            HandOverAction::CloseUnclaimed => {
                let stored = listen::close_unclaimed_of_predecessor();
                #[cfg(all(target_os = "linux", feature = "fd_store"))]
                stored.iter().for_each(|name| self.unstore(name));
                drop(stored);
            }
        }
    }

    fn answer_hand_over(&self, request: Option<Request>, answer: HandOverAnswer) {
        if let Some(request) = request {
            self.supervisor.run_off_control(move || drop(request.send(answer)));
        }
    }
}

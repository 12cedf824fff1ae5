//! Reading what the data plane sends.

use std::time::Duration;

use super::event_loop::{EventLoop, Over};
use crate::machine::{Event, Input, Phase, ServiceId, Time};
use crate::session::{Inbox, Message, NewService, SessionFailure, Site};

impl EventLoop {
    /// Reads the messages that are there, but not more than `limit`.
    pub(super) fn read_some(&mut self, inbox: &mut Inbox, limit: usize) {
        for _ in 0..limit.min(inbox.messages.len()) {
            let Ok(message) = inbox.messages.try_recv() else { break };
            self.batch.push(message);
        }
        self.read_batch();
    }

    /// Handles the messages of this turn. One count serves them all: it comes after they were sent, so it
    /// has every session that was spawned before any of them.
    ///
    /// What has ended before the present moment has ended in time, although it was read late. So the machine
    /// is given the moment before its next timer, and the timer itself afterwards.
    pub(super) fn read_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.supervisor.continue_waking();
        let mut batch = std::mem::take(&mut self.batch);
        let just_before = self.state.wake_at().map(|at| at - Duration::from_nanos(1));
        let now = self.clock.now();
        let now = just_before.map_or(now, |before| now.min(before));
        if self.state.watches_sessions() || batch.iter().any(needs_count) {
            self.count_sessions_at(now);
        }
        for message in batch.drain(..) {
            self.read_at(now, message);
        }
        self.services.publish(&mut self.state);
        self.batch = batch;
        self.warn_of_not_linked();
    }

    /// Once `main` has started what it starts, a registered service that is not among it is likely forgotten.
    fn warn_of_not_linked(&mut self) {
        if self.not_linked.is_empty() || self.state.phase() != Phase::Running {
            return;
        }
        let is_started = |name: &String| self.state.services().iter().any(|service| service.spec.name == *name);
        let mut services = std::mem::take(&mut self.not_linked);
        services.retain(|name| !is_started(name));
        if !services.is_empty() {
            self.emit(Event::ServicesNotLinked { services }, false);
        }
    }

    pub(super) fn read(&mut self, message: Message) {
        self.batch.push(message);
        self.read_batch();
    }

    fn read_at(&mut self, now: Time, message: Message) {
        match message {
            Message::Input(input) => {
                if let (Input::SetGrace(grace), Some(guard)) = (&input, self.guard)
                    && self.state.takes_grace()
                {
                    guard.set_grace(*grace);
                }
                self.step_at(now, input);
            }
            Message::Add(new) => self.add(now, new),
            Message::Run(done) => {
                if self.state.phase() >= Phase::TearingDown {
                    let report = self.report();
                    self.supervisor.run_off_control(move || drop(done.send(report)));
                    return;
                }
                self.in_run.push(done);
                self.step_at(now, Input::RunCalled);
            }
            Message::Restart { id, before, asked_in } => {
                let run = self.state.services()[id.0].run;
                self.supervisor.run_off_control(move || {
                    let _ = asked_in.send(run);
                });
                self.step_at(now, Input::RestartService { id, before });
            }
            Message::Wait { waiter, wait, location, for_itself } => {
                let waits_for_itself = self.state.waits_for_itself(waiter, wait);
                if waits_for_itself {
                    let name = |id: ServiceId| self.state.services()[id.0].spec.name.clone();
                    let (service, waiter) = (name(wait.id), name(waiter));
                    self.emit(Event::WaitsForItself { service, waiter, location }, false);
                }
                self.supervisor.run_off_control(move || {
                    let _ = for_itself.send(waits_for_itself);
                });
            }
            Message::LaunchFailed => self.over = Some(Over::NeverLaunched),
            Message::Emit(event) => self.emit(event, false),
            #[cfg(feature = "testing")]
            Message::EndGrace => self.end_grace(),
            #[cfg(all(unix, feature = "handover"))]
            Message::HandOver(request) => self.request_hand_over(now, request),
            #[cfg(all(target_os = "linux", feature = "fd_store"))]
            Message::Store { name, fds } => self.store(&name, fds),
            #[cfg(all(target_os = "linux", feature = "fd_store"))]
            Message::Unstore { name } => self.unstore(&name),
            Message::DataPlaneGone => self.data_plane_gone = true,
            Message::NotLinked(names) => self.not_linked = names,
        }
    }

    /// Lets the machine's time jump to the deadline, while the clock does not move.
    #[cfg(feature = "testing")]
    fn end_grace(&mut self) {
        /// Each level is abandoned a moment after the one before: it might have its first poll then.
        const FIRST_POLLS: Duration = Duration::from_millis(250);

        let Some(deadline) = self.state.deadline() else { return };
        let mut now = deadline;
        loop {
            self.count_sessions_at(now);
            self.step_at(now, Input::Wake);
            match self.state.wake_at().filter(|&at| at <= deadline + FIRST_POLLS) {
                Some(at) if self.over.is_none() => now = now.max(at),
                _ => return,
            }
        }
    }

    fn add(&mut self, now: Time, new: NewService) {
        let spec = new.spec.clone();
        if new.by_user {
            self.step_at(now, Input::MainListens);
        }
        self.services.add(self.supervisor, self.state.number_for(&spec), new);
        self.step_at(now, Input::ServiceAdded(spec));
    }

    pub(super) fn report_failure(&self, SessionFailure { site, owner, reason }: SessionFailure) {
        let Site { name, module, function, .. } = *site;
        let location = site.location();
        let function = function();
        self.emit(Event::SessionFailed { name, location, function, module, owner, reason }, false);
    }
}

/// Can a message lead to a decision that depends on the number of sessions, while they are not watched? A
/// stop, a restart and the end of a run do; what only starts does not.
fn needs_count(message: &Message) -> bool {
    !matches!(
        message,
        Message::Add(_)
            | Message::DataPlaneGone
            | Message::Emit(_)
            | Message::NotLinked(_)
            | Message::Input(
                Input::ServiceReady { .. } | Input::MainListens | Input::SetGrace(_) | Input::StateDropped { .. }
            )
    )
}

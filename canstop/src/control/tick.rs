//! What the event loop does once a tick for those outside: it checks the heartbeat and the held threads, and
//! notifies the process manager.

use std::io;

use super::event_loop::EventLoop;
use super::held_workers::are_all_parked;
use super::operations::Operations;
use super::outside::Outside;
#[cfg(feature = "metrics")]
use super::recording::Recording;
use crate::machine::{Event, Feed, HeldThread, Phase, Time, notify_status};
use crate::report::Rounded;
use crate::session::{Held, Kind, name_of};

impl EventLoop {
    /// From now on the program is seen from outside. It needs the control plane's runtime.
    ///
    /// # Errors
    ///
    /// If that does not take the health endpoint's socket.
    pub(super) fn show(&mut self, outside: Outside) -> io::Result<()> {
        self.operations = Operations::start(outside, self.clock, self.supervisor)?;
        #[cfg(feature = "metrics")]
        {
            self.operations.recording = Some(Recording::start(self.supervisor, self.reporter.thread()));
        }
        #[cfg(all(unix, feature = "handover"))]
        if let Some(hand_overs) = &self.operations.hand_overs {
            self.state.set_hand_over(hand_overs.for_machine());
        }
        Ok(())
    }

    /// Looks at the data plane's heartbeat and at held threads, as it does once a tick.
    pub(super) fn look_around(&mut self) {
        let now = self.clock.now();
        let held = self.held_threads();
        if let Some(pulse) = &mut self.operations.pulse {
            pulse.look(self.supervisor.data_plane().as_deref(), self.tick);
            // A data plane that is busy begins polls. It may take a while to come to its beat.
            held.iter().for_each(|held| pulse.heartbeat.turned(held.since));
        }
        for event in self.operations.blocked.look(now, &held) {
            self.emit(event, false);
        }
        self.look_at_workers(now);
        self.judge_stall(now, &held);
        self.look_at_queues(now);
        self.note_start();
        self.publish_numbers();
        #[cfg(feature = "metrics")]
        if let Some(recording) = &mut self.operations.recording {
            recording.look(now);
        }
    }

    /// Returns true if nothing runs, so that nothing will have to be seen until a thread of the data plane wakes up.
    /// From then on, that thread notifies this one.
    pub(super) fn goes_quiet(&self) -> bool {
        let has_finding = self.operations.stalled.is_some() || self.operations.accept_stalls.is_any();
        // A test's clock is paused, and its runtime has hooks of its own.
        let may_be = self.guard.is_some() && self.state.phase() == Phase::Running && self.watch.is_quiet();
        if !may_be || has_finding || self.services.await_sessions() {
            return false;
        }
        let Some(data_plane) = self.supervisor.data_plane() else { return false };
        self.supervisor.begin_quiet();
        let is_quiet = are_all_parked(&data_plane);
        if !is_quiet {
            self.supervisor.end_quiet();
        }
        is_quiet
    }

    /// In a test there is one thread, which this very code holds.
    fn look_at_workers(&mut self, now: Time) {
        if self.guard.is_some()
            && let Some(data_plane) = self.supervisor.data_plane()
            && let Some(event) = self.operations.workers.look(now, &data_plane)
        {
            self.emit(event, false);
        }
    }

    /// Every thread of the data plane that is held, and by what.
    pub(super) fn held_threads(&self) -> Vec<HeldThread> {
        let held = self.watch.held().into_iter();
        held.map(|Held { thread, poll, kind, site, scope, since }| {
            let home = scope.home();
            let place = if kind == Kind::Session { site.location() } else { home.location };
            HeldThread { thread, poll, what: name_of(kind, site.name, home), place, since: self.clock.time(since) }
        })
        .collect()
    }

    /// Reports that the data plane does not turn before anybody acts on it, and feeds the watchdog while it
    /// does not.
    fn judge_stall(&mut self, now: Time, held: &[HeldThread]) {
        let Some(pulse) = &self.operations.pulse else { return };
        let age = pulse.heartbeat.age(now);
        let feed = self.operations.notifying.get_mut().plan.feed(now, age);
        let is_stalled = age >= self.operations.reported_after || feed == Feed::Withheld;
        match self.operations.stalled {
            None if is_stalled => {
                self.operations.stalled = Some(now - age);
                let event = Event::Stalled { since: age, blocking: blocking(now, held) };
                self.notify(notify_status(&event));
                self.emit(event, false);
            }
            Some(since) if !is_stalled && age < self.operations.reported_after / 2 => {
                self.operations.stalled = None;
                let event = Event::Recovered { after: now.since(since) };
                self.notify(notify_status(&event));
                self.emit(event, false);
            }
            _ => {}
        }
        if matches!(feed, Feed::Now | Feed::Again) {
            self.notify("WATCHDOG=1".to_owned());
        } else if let Err(error) = self.operations.notifying.get_mut().notifier.flush() {
            self.report_notify_failure(error);
        }
    }

    /// Notifies of readiness as soon as there is some.
    pub(super) fn note_start(&mut self) {
        let notifying = self.operations.notifying.get_mut();
        if notifying.has_started {
            return;
        }
        notifying.has_started = self.state.has_started();
        let message = notifying.plan.start(
            self.clock.now(),
            self.state.has_started(),
            self.state.services().len(),
            self.state.start_ends(),
        );
        if notifying.has_started && !self.state.phase().is_stopping() {
            notifying.notifier.ready();
        }
        if let Some(message) = message {
            self.notify(message);
        }
    }

    /// Notifies of an event, if it is worth that.
    pub(super) fn notify_of(&self, event: &Event) {
        if matches!(event, Event::Waiting { .. }) {
            self.supervisor.numbers().waiting = Some(event.to_string());
        }
        let message = self.operations.notifying.borrow_mut().plan.event(event);
        if let Some(message) = message {
            self.notify(message);
        }
    }

    pub(super) fn notify(&self, message: String) {
        let sent = self.operations.notifying.borrow_mut().notifier.send(message);
        if let Err(error) = sent {
            self.report_notify_failure(error);
        }
    }

    pub(super) fn report_notify_failure(&self, error: String) {
        self.emit(Event::NotifyFailed { error }, false);
    }
}

/// What blocks threads, site by site.
pub(super) fn blocking(now: Time, held: &[HeldThread]) -> Vec<String> {
    let mut sites: Vec<(&HeldThread, u32)> = Vec::new();
    for held in held.iter().filter(|held| held.since < now) {
        match sites.iter_mut().find(|(first, _)| (&first.what, first.place) == (&held.what, held.place)) {
            Some((first, count)) => {
                *count += 1;
                if held.since < first.since {
                    *first = held;
                }
            }
            None => sites.push((held, 1)),
        }
    }
    let text = |(HeldThread { what, place, since, .. }, count): (&HeldThread, u32)| {
        let threads = if count == 1 { "a thread".to_owned() } else { format!("{count} threads") };
        format!("{what} ({place}) blocks {threads} for {}", Rounded(now.since(*since)))
    };
    sites.into_iter().map(text).collect()
}

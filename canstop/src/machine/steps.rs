//! The steps of a stop: one table, and what goes through it.

use std::time::Duration;

use super::action::{Abandoned, Action};
use super::event::Event;
use super::exit::Exit;
use super::id::Owner;
use super::phase::Phase;
use super::state::{Main, State};
use super::time::Time;
use super::timer::Timer;

const WAITING_LINE_EVERY: Duration = Duration::from_secs(1);

/// One step of a stop. It ends as soon as it is drained, and the next one begins.
struct Step {
    /// What is done when it begins.
    starts: fn(&mut State, Time),
    /// What is decided as long as it lasts.
    decides: fn(&mut State, Time),
    /// When its time is up, where nothing that it waits for has a time of its own.
    until: fn(&State) -> Option<Time>,
    /// What is abandoned then.
    abandons: fn(&mut State),
    /// Is everything gone that it waits for?
    drained: fn(&State, Time) -> bool,
}

/// Everything goes on serving, so that load balancers can look away.
const DRAIN_DELAY: Step = Step {
    starts: |_, _| {},
    decides: State::serve_on,
    until: |state| state.stop.as_ref().map(|stop| stop.schedule.budget().drain_delay_ends()),
    abandons: |_| {},
    drained: State::is_drain_delay_over,
};

/// The services of one level stop, and the root with the first of them. Each service has a time of its own.
const STOPPING: Step = Step {
    starts: State::signal_level,
    decides: |state, now| state.stop_those(now, |state, id| state.level(id) <= state.reach()),
    until: |_| None,
    abandons: |_| {},
    drained: |state, _| state.is_drained_up_to(state.reach()),
};

/// `run()` has returned, and the code after it runs.
const TEARDOWN: Step = Step {
    starts: State::return_from_run,
    decides: |state, now| state.stop_those(now, |_, _| true),
    until: |state| state.stop.as_ref()?.teardown_until.filter(|_| state.main == Main::TearingDown),
    abandons: State::abandon_teardown,
    drained: |state, _| matches!(state.main, Main::Ended | Main::Abandoned) && state.is_drained_up_to(usize::MAX),
};

/// Flush hooks run, and the sessions that they spawn.
const FLUSH: Step = Step {
    starts: State::flush,
    decides: State::abandon_overdue,
    until: |state| state.closing.flush_until.filter(|_| state.closing.hooks > 0),
    abandons: State::abandon_flush,
    drained: |state, _| state.closing.hooks == 0 && state.are_sessions_drained(Owner::Root),
};

/// The end.
const FINISH: Step = Step {
    starts: |state, _| state.actions.push(Action::Finish),
    decides: |_, _| {},
    until: |_| None,
    abandons: |_| {},
    drained: |_, _| false,
};

/// The step that is a phase of a stop.
fn step(phase: Phase) -> Option<&'static Step> {
    match phase {
        Phase::SettingUp | Phase::Running => None,
        Phase::DrainDelay => Some(&DRAIN_DELAY),
        Phase::Stopping(_) => Some(&STOPPING),
        Phase::TearingDown => Some(&TEARDOWN),
        Phase::Flushing => Some(&FLUSH),
        Phase::Finished => Some(&FINISH),
    }
}

impl State {
    /// Goes through the steps as far as it can.
    pub(super) fn proceed(&mut self, now: Time) {
        while let Some(present) = step(self.phase) {
            (present.decides)(self, now);
            if (present.until)(self).is_some_and(|until| now >= until) {
                (present.abandons)(self);
            }
            if !(present.drained)(self, now) {
                break;
            }
            self.phase = self.next_phase();
            if let Some(next) = step(self.phase) {
                (next.starts)(self, now);
            }
        }
        self.emit_what_is_waited_for(now);
    }

    fn next_phase(&self) -> Phase {
        match self.phase {
            Phase::SettingUp | Phase::Running => Phase::DrainDelay,
            Phase::DrainDelay => Phase::Stopping(0),
            Phase::Stopping(level) if level < self.last_level() => Phase::Stopping(level + 1),
            Phase::Stopping(_) => Phase::TearingDown,
            Phase::TearingDown => Phase::Flushing,
            Phase::Flushing | Phase::Finished => Phase::Finished,
        }
    }

    fn last_level(&self) -> usize {
        self.stop.as_ref().map_or(0, |stop| stop.schedule.budget().last_level())
    }

    /// The highest level that stops in this step. The last step is for what came late, too.
    pub(super) fn reach(&self) -> usize {
        match self.phase {
            Phase::Stopping(level) if level < self.last_level() => level,
            _ => usize::MAX,
        }
    }

    fn serve_on(&mut self, now: Time) {
        self.abandon_overdue(now);
        if self.stop.as_ref().is_some_and(|stop| now < stop.schedule.budget().drain_delay_ends()) {
            self.supervise_services(now);
            self.refresh();
        }
    }

    /// Its time is up, or nothing is left that could serve.
    fn is_drain_delay_over(&self, now: Time) -> bool {
        let is_up = self.stop.as_ref().is_none_or(|stop| now >= stop.schedule.budget().drain_delay_ends());
        is_up || !self.index.any_waits_to_start() && self.is_drained_up_to(usize::MAX)
    }

    /// The turn of a level has come; that of the root with the first one.
    fn signal_level(&mut self, now: Time) {
        match self.phase {
            Phase::Stopping(0) => {
                self.divide_anew();
                self.signal_root(now);
                self.ids().for_each(|id| self.never_starts_again(id));
                // From now on what is not drained delays what stops after it.
                self.touch_all();
            }
            Phase::Stopping(level) if level < self.last_level() => {
                let of_level = self.stop.as_ref().map(|stop| stop.schedule.of_level(level).to_vec());
                self.consider_stops(of_level.into_iter().flatten());
            }
            _ => self.consider_stops(self.ids()),
        }
    }

    fn return_from_run(&mut self, now: Time) {
        let Some(stop) = &mut self.stop else { return };
        let budget = stop.schedule.budget();
        let until = budget.until(now, budget.deadline());
        stop.teardown_until = Some(until);
        if self.main == Main::InRun {
            self.resume_root(until);
            self.main = Main::TearingDown;
            self.actions.push(Action::ReturnFromRun);
        }
    }

    fn abandon_teardown(&mut self) {
        self.main = Main::Abandoned;
        self.exit = self.exit.max(Exit::Abandoned);
        self.actions.push(Action::Abandon(Abandoned { main: true, ..Abandoned::default() }));
    }

    /// Is everything gone that stops up to this level?
    pub(super) fn is_drained_up_to(&self, level: usize) -> bool {
        self.root_is_drained() && self.index.is_drained_up_to(level)
    }

    pub(super) fn root_is_drained(&self) -> bool {
        self.are_sessions_drained(Owner::Root) && !matches!(self.main, Main::SettingUp | Main::Listening)
    }

    fn emit_what_is_waited_for(&mut self, now: Time) {
        let Some(stop) = self.stop.as_mut().filter(|stop| now >= stop.next_waiting_line) else { return };
        if self.phase >= Phase::Flushing {
            return;
        }
        // A control plane that was late owes one line, not all it missed.
        stop.next_waiting_line = now + WAITING_LINE_EVERY;
        let remaining = (stop.schedule.budget().deadline() + stop.reserve).since(now);
        let left = self.left();
        // What was not signalled yet is not waited for.
        let is_stopping = |home| self.home_has_until(home).is_some();
        let home = |owner| if let Owner::Group(group) = owner { self.groups[group].home } else { owner };
        let services = left.services.iter().filter(|&&(id, _)| is_stopping(Owner::Service(id)));
        let sessions = left.sessions.iter().filter(|&&(owner, _)| is_stopping(home(owner)));
        self.emit(Event::Waiting {
            remaining,
            services: services.map(|&(id, _)| self.name(id)).collect(),
            sessions: sessions.map(|&(_, alive)| alive).sum(),
            main: left.main,
            // Requests are not the machine's.
            slowest: None,
        });
    }

    /// Sets the timers that concern the program as a whole.
    pub(super) fn set_timers(&mut self) {
        let is_waiting = self.phase.is_stopping() && self.phase < Phase::Flushing;
        let stop = self.stop.as_ref().filter(|_| is_waiting);
        let is_over = self.phase == Phase::Finished || self.root_is_drained();
        let root_stop = self.root_until().filter(|_| !is_over);
        let waiting_line = stop.map(|stop| stop.next_waiting_line);
        let deadline = stop.map(|stop| stop.schedule.budget().hard_deadline());
        let step_ends = step(self.phase).and_then(|step| (step.until)(self));
        let hand_over = self.hand_over.deadline().filter(|_| !self.phase.is_stopping());
        self.index.timers.set(Timer::HandOver, hand_over);
        self.index.timers.set(Timer::RootStop, root_stop);
        self.index.timers.set(Timer::WaitingLine, waiting_line);
        self.index.timers.set(Timer::Deadline, deadline);
        self.index.timers.set(Timer::Step, step_ends);
    }

    /// When the first line of a stop says what is waited for.
    pub(super) fn first_waiting_line(requested: Time) -> Time {
        requested + WAITING_LINE_EVERY
    }
}

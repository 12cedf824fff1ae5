//! A machine whose every call goes through the oracle.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::rc::Rc;
use std::time::Duration;

use super::build::state_dropped;
use super::oracle::Oracle;
use crate::machine::action::Action;
use crate::machine::backoff::Jitter;
use crate::machine::budget::Allowance;
use crate::machine::event::Event;
use crate::machine::input::Input;
use crate::machine::service::Service;
use crate::machine::state::State;
use crate::machine::time::Time;

/// The machine, its oracle, and the time of both.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) now: Time,
    pub(super) state: State,
    pub(super) oracle: Oracle,
    /// The test itself sends the input that the state of a service is dropped.
    pub(super) holds_state: bool,
    trail: Option<Rc<Trail>>,
}

/// The inputs so far, latest first. They are shared because the explorer forks at every step.
struct Trail {
    now: Time,
    event: Input,
    actions: Vec<Action>,
    before: Option<Rc<Trail>>,
}

impl Watched {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self {
            now: Time::default(),
            state: State::new(allowance, Jitter::seeded(7)),
            oracle: Oracle::new(allowance),
            holds_state: false,
            trail: None,
        }
    }

    /// Leaves it to the test to send the input that the state of a service is dropped.
    pub(super) fn holding_state(mut self) -> Self {
        self.holds_state = true;
        self
    }

    /// Lets the program take part in hand-overs, and take over from this process.
    pub(super) fn handing_over(mut self, timeout: Duration, predecessor: Option<u32>) -> Self {
        self.state.set_hand_over(self.oracle.take_part_in_hand_overs(timeout, predecessor));
        self
    }

    /// Gives an input to the machine, now.
    ///
    /// # Panics
    ///
    /// Panics if a law is broken, with every input that led to it.
    pub(super) fn handle(&mut self, event: Input) -> Vec<Action> {
        self.try_handle(event).unwrap_or_else(|broken| panic!("{broken}"))
    }

    /// As [`handle`](Self::handle), with an error instead of a panic, so that a failing case can be shrunk.
    ///
    /// A wake follows a count of sessions. The state of a service is dropped as soon as the machine asks for it, unless
    /// `holds_state` is set.
    pub(super) fn try_handle(&mut self, event: Input) -> Result<Vec<Action>, String> {
        if matches!(event, Input::SessionsCounted(_)) {
            self.oracle.observe(self.now, &event, None);
            assert_eq!(self.state.handle(self.now, event.clone()), []);
            let trail = Trail { now: self.now, event, actions: Vec::new(), before: self.trail.take() };
            self.trail = Some(Rc::new(trail));
            return self.try_handle(Input::Wake);
        }
        let mut actions = self.step(event)?;
        let mut at = 0;
        while !self.holds_state && at < actions.len() {
            if let Action::DropState { id } = actions[at] {
                let dropped = state_dropped(id.0, self.state.services()[id.0].run.0, None);
                actions.extend(self.step(dropped)?);
            }
            at += 1;
        }
        Ok(actions)
    }

    fn step(&mut self, event: Input) -> Result<Vec<Action>, String> {
        let id = match &event {
            Input::ServiceAdded(spec) => Some(self.state.number_for(spec)),
            _ => None,
        };
        self.oracle.observe(self.now, &event, id);
        let actions = self.state.handle(self.now, event.clone());
        let trail = Trail { now: self.now, event, actions: actions.clone(), before: self.trail.take() };
        self.trail = Some(Rc::new(trail));
        self.state.check_index();
        match self.oracle.judge(&actions, &self.state) {
            Ok(()) => Ok(actions),
            Err(broken) => Err(format!("{broken}\n{self:?}")),
        }
    }

    /// Lets time pass, and wakes the machine whenever it asks to be. Returns all actions.
    pub(super) fn pass(&mut self, duration: Duration) -> Vec<Action> {
        let until = self.now + duration;
        let mut actions = Vec::new();
        while let Some(wake_at) = self.state.wake_at().filter(|&wake_at| wake_at <= until) {
            self.now = wake_at;
            actions.extend(self.handle(Input::Wake));
        }
        self.now = until;
        actions
    }

    /// Gives several inputs at the same moment.
    pub(super) fn all(&mut self, events: impl IntoIterator<Item = Input>) -> Vec<Action> {
        events.into_iter().flat_map(|event| self.handle(event)).collect()
    }

    /// A spurious wake changes nothing, neither now nor at any time before the next wake that the machine asked
    /// for.
    pub(super) fn assert_spurious_wakes_are_harmless(&self) {
        let far = self.now + Duration::from_secs(3_600);
        let next = self.state.wake_at().unwrap_or(far);
        for now in [self.now, self.now + next.since(self.now) / 2] {
            let mut state = self.state.clone();
            let actions = state.handle(now, Input::Wake);
            assert!(actions.is_empty(), "a spurious wake at {now:?} made it do {actions:?}\n{self:?}");
            assert!(
                fingerprint(&state) == fingerprint(&self.state),
                "a spurious wake at {now:?} made it {state:?}\n{self:?}"
            );
        }
    }

    /// Equal for two that behave alike from here on.
    pub(super) fn fingerprint(&self) -> u64 {
        hash(&(self.now, fingerprint(&self.state), &self.oracle))
    }
}

/// Leaves out what never changes, which is most of a service. The pattern makes the compiler ask about new fields.
fn fingerprint(state: &State) -> u64 {
    let State {
        allowance: _,
        sources: _,
        readiness: _,
        closing: _,
        hand_over,
        jitter,
        now: _,
        phase,
        main,
        has_run: _,
        plan,
        services,
        root_sessions,
        groups,
        index: _,
        stop,
        last_signal,
        given_back,
        exit,
        watching,
        actions,
    } = state;
    let services: Vec<_> = services.iter().map(fingerprint_of_service).collect();
    let sessions = (root_sessions, groups, watching, hand_over);
    hash(&((jitter, phase, main, plan, services, sessions), (stop, last_signal, given_back, exit, actions)))
}

fn fingerprint_of_service(service: &Service) -> u64 {
    let Service {
        spec: _,
        stage,
        run,
        before,
        before_name,
        stop_by,
        request,
        history,
        first_began,
        was_ready,
        is_refused: _,
        left_ready: _,
        last_error,
        sessions,
        user_state,
        ready_ignored,
        entry: _,
    } = service;
    let user = (user_state, ready_ignored, last_error);
    hash(&(stage, (run, before, before_name), stop_by, request, history, first_began, was_ready, user, sessions))
}

/// Hashes the `Debug` output, so that the machine needs no method for it.
fn hash(what: &dyn fmt::Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    // As one piece: a debug text comes in very small ones, and the hasher is called for each.
    hasher.write(format!("{what:?}").as_bytes());
    hasher.finish()
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = std::iter::successors(self.trail.as_deref(), |step| step.before.as_deref()).collect();
        writeln!(f, "now {:?}, after these steps:", self.now.since_start())?;
        for Trail { now, event, actions, .. } in steps.into_iter().rev() {
            writeln!(f, "{:>10?} {event:?}", now.since_start())?;
            for action in actions {
                writeln!(f, "             -> {action:?}")?;
            }
        }
        write!(f, "{:?}", self.state)
    }
}

/// The events among some actions.
pub(super) fn events(actions: &[Action]) -> Vec<&Event> {
    fn event(action: &Action) -> Option<&Event> {
        match action {
            Action::Emit(event) => Some(event),
            _ => None,
        }
    }
    actions.iter().filter_map(event).collect()
}

/// The actions other than events and drops of state.
pub(super) fn deeds(actions: &[Action]) -> Vec<&Action> {
    actions.iter().filter(|action| !matches!(action, Action::Emit(_) | Action::DropState { .. })).collect()
}

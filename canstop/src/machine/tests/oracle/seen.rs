//! What the oracle knows of services, sessions, `main` and the stop.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::machine::id::{Owner, RunId};
use crate::machine::spec::{Ready, ServiceSpec};
use crate::machine::stage::{Request, ServiceOutcome};
use crate::machine::time::Time;

/// A service, as seen from outside.
#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct Seen {
    pub(super) spec: Given,
    pub(super) refused: bool,
    /// The current run, or the last one.
    pub(in crate::machine::tests) run: RunId,
    /// The last run of the service that had this id before.
    pub(in crate::machine::tests) before: RunId,
    /// The last run of a service of another name that had this id.
    pub(super) before_name: RunId,
    pub(in crate::machine::tests) live: bool,
    pub(in crate::machine::tests) ready: bool,
    pub(super) was_ready: bool,
    /// When the current run began.
    pub(super) began: Time,
    /// Until when the current run has time, once it is signalled.
    pub(in crate::machine::tests) stop_by: Option<Time>,
    pub(in crate::machine::tests) sessions: Sessions,
    /// The restart that was announced.
    pub(super) restart_at: Option<Time>,
    /// A handle asked it to stop.
    pub(in crate::machine::tests) asked_to_stop: bool,
    /// An earlier request that still holds.
    pub(super) requested: Option<Request>,
    /// It is to restart, not before this time.
    pub(in crate::machine::tests) restarts: Option<Time>,
    /// The outcome that it must have at the end.
    pub(super) outcome: Option<ServiceOutcome>,
    /// How often its end was counted.
    pub(super) accounts: u32,
    /// Its state is being dropped, and the stop waits for it.
    pub(in crate::machine::tests) dropping: bool,
    /// The machine asked for the drop of its state.
    pub(super) drop_asked: bool,
    /// Its state is dropped.
    pub(super) state_dropped: bool,
    /// The warning about `ready()` was emitted.
    pub(super) ready_ignored: bool,
    /// It is in the plan of the running program.
    pub(super) planned: bool,
}

impl Seen {
    /// A service that takes the id of an earlier one, if there was one.
    pub(super) fn new(spec: &ServiceSpec, gone: Option<&Seen>) -> Self {
        let before = gone.map_or(RunId::default(), |gone| gone.run);
        let same_name = gone.filter(|gone| gone.spec.name == spec.name);
        Self {
            before_name: same_name.map_or(before, |gone| gone.before_name),
            spec: Given(Rc::new(spec.clone())),
            refused: false,
            run: before,
            before,
            live: false,
            ready: false,
            was_ready: false,
            began: Time::default(),
            stop_by: None,
            sessions: Sessions::default(),
            restart_at: None,
            asked_to_stop: false,
            requested: None,
            restarts: None,
            outcome: None,
            accounts: 0,
            dropping: false,
            drop_asked: false,
            state_dropped: false,
            ready_ignored: false,
            planned: false,
        }
    }

    pub(in crate::machine::tests) fn has_started(&self) -> bool {
        self.run != self.before
    }

    /// Returns true if it ended in a way that lets its dependents start.
    pub(super) fn ended_for_others(&self) -> bool {
        self.refused || matches!(self.outcome, Some(ServiceOutcome::Done | ServiceOutcome::Lost))
    }

    pub(super) fn begin(&mut self, now: Time, run: RunId) {
        self.began = now;
        self.run = run;
        self.live = true;
        self.ready = self.spec.ready == Ready::Started;
        self.was_ready |= self.ready;
        self.stop_by = None;
        self.sessions = Sessions::default();
        self.restart_at = None;
        self.restarts = None;
    }

    /// Counts its end.
    pub(super) fn account(&mut self, outcome: ServiceOutcome) {
        self.live = false;
        self.restart_at = None;
        self.outcome = Some(outcome);
        self.accounts += 1;
    }
}

/// A spec never changes, so its `Debug` output is the name alone.
#[derive(Clone)]
pub(super) struct Given(Rc<ServiceSpec>);

impl std::ops::Deref for Given {
    type Target = ServiceSpec;

    fn deref(&self) -> &ServiceSpec {
        &self.0
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The sessions of one owner.
#[derive(Clone, Debug, Default)]
pub(in crate::machine::tests) struct Sessions {
    pub(in crate::machine::tests) alive: u64,
    pub(super) abandoned: bool,
}

impl Sessions {
    pub(super) fn are_drained(&self) -> bool {
        self.alive == 0 || self.abandoned
    }
}

/// Sessions of `home` with less time than it has.
#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct Group {
    pub(super) home: Owner,
    pub(super) grace: Duration,
    /// Until when they have time, once their home is signalled.
    pub(super) stop_by: Option<Time>,
    pub(in crate::machine::tests) sessions: Sessions,
}

/// The body of `main`.
#[derive(Clone, Debug, Default)]
pub(in crate::machine::tests) struct Main {
    pub(in crate::machine::tests) listens: bool,
    pub(in crate::machine::tests) in_run: bool,
    pub(in crate::machine::tests) ended: bool,
    pub(in crate::machine::tests) abandoned: bool,
    /// It is dropped at its next `.await`.
    pub(in crate::machine::tests) dropped: bool,
    /// Its call of `run()` returned.
    pub(in crate::machine::tests) returned: bool,
}

impl Main {
    /// Returns true until it calls `run()` or ends.
    pub(in crate::machine::tests) fn is_before_run(&self) -> bool {
        !self.in_run && !self.ended && !self.abandoned
    }
}

/// A stop that was requested.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) deadline: Time,
    /// Until when all services go on serving.
    pub(super) drain_ends: Time,
    /// Until when the root has time, at least.
    pub(super) front_ends: Time,
    /// The start of the budget: the request, plus the time that was frozen since.
    pub(super) begins: Time,
    /// When the stop was requested.
    pub(super) requested: Time,
    /// The drain delay of this stop.
    pub(super) drain_delay: Duration,
    /// The time for a first poll that anything signalled late still has.
    pub(super) first_poll: Duration,
    /// When the teardown in `main` must end.
    pub(super) teardown_until: Option<Time>,
    /// The plan has changed since the budget was divided.
    pub(super) plan_changed: bool,
    /// The time that each service must have once it is signalled, if others stop before it.
    pub(super) reserved: Vec<Duration>,
    /// The stop level of each service.
    pub(super) levels: Vec<usize>,
    pub(super) last_waiting_line: Time,
}

//! What the oracle remembers of each party.

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
    /// The present life, or the last one.
    pub(in crate::machine::tests) run: RunId,
    /// The last life of whoever had its number before.
    pub(in crate::machine::tests) before: RunId,
    /// The last run of a service of another name that had its id.
    pub(super) before_name: RunId,
    pub(in crate::machine::tests) live: bool,
    pub(in crate::machine::tests) ready: bool,
    pub(super) was_ready: bool,
    /// When the present run began.
    pub(super) began: Time,
    /// Until when the present life was told that it has time.
    pub(in crate::machine::tests) stop_by: Option<Time>,
    pub(in crate::machine::tests) sessions: Sessions,
    /// It announced a restart for then.
    pub(super) restart_at: Option<Time>,
    /// Its handle was asked to stop it.
    pub(in crate::machine::tests) asked_to_stop: bool,
    /// What was requested of it before, and still is.
    pub(super) requested: Option<Request>,
    /// It is to begin a new life, not before then.
    pub(in crate::machine::tests) restarts: Option<Time>,
    /// Where it must stand when all is over.
    pub(super) outcome: Option<ServiceOutcome>,
    /// How often it was accounted for.
    pub(super) accounts: u32,
    /// Its state is being dropped, and that is waited for.
    pub(in crate::machine::tests) dropping: bool,
    /// The drop of its state was asked for.
    pub(super) drop_asked: bool,
    /// Its state is dropped.
    pub(super) state_dropped: bool,
    /// The warning about `ready()` was given.
    pub(super) ready_ignored: bool,
    /// It is in the plan of the running program.
    pub(super) planned: bool,
}

impl Seen {
    /// A service in the place of another that is gone, if there was one.
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

    /// Does its end let the services start that need it?
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

    /// It is over for good.
    pub(super) fn account(&mut self, outcome: ServiceOutcome) {
        self.live = false;
        self.restart_at = None;
        self.outcome = Some(outcome);
        self.accounts += 1;
    }
}

/// A spec never changes, so it says nothing about where a service stands.
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

/// Sessions that belong to `home`, but have less time than it.
#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct Group {
    pub(super) home: Owner,
    pub(super) grace: Duration,
    /// Until when they have time, once their home was told.
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
    /// It is to be dropped at its next `.await`.
    pub(in crate::machine::tests) dropped: bool,
    /// Its call of `run()` returned.
    pub(in crate::machine::tests) returned: bool,
}

impl Main {
    /// Is it somewhere before `run()`?
    pub(in crate::machine::tests) fn is_before_run(&self) -> bool {
        !self.in_run && !self.ended && !self.abandoned
    }
}

/// The stop, from its request on.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) deadline: Time,
    /// Until when everything that serves goes on serving.
    pub(super) drain_ends: Time,
    /// Until when the root has time at least.
    pub(super) front_ends: Time,
    /// When the budget begins: the request, and what was frozen since.
    pub(super) begins: Time,
    /// When the stop was requested.
    pub(super) requested: Time,
    /// The drain delay of this stop.
    pub(super) drain_delay: Duration,
    /// How long something that is signalled late has for its first poll.
    pub(super) first_poll: Duration,
    /// When a program that waits for nothing else has to end `main`'s teardown.
    pub(super) teardown_until: Option<Time>,
    /// The plan has changed since the budget was divided.
    pub(super) plan_changed: bool,
    /// What each service must have from when it is signalled, if others stop before it.
    pub(super) reserved: Vec<Duration>,
    /// Each service's step.
    pub(super) levels: Vec<usize>,
    pub(super) last_waiting_line: Time,
}

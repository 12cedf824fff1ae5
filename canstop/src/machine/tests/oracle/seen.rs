//! What the oracle remembers of each party.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::machine::id::{Owner, RunId};
use crate::machine::service::ServiceOutcome;
use crate::machine::spec::{Ready, ServiceSpec};
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
    pub(in crate::machine::tests) live: bool,
    pub(in crate::machine::tests) ready: bool,
    pub(super) was_ready: bool,
    /// Until when the present life was told that it has time.
    pub(in crate::machine::tests) stop_by: Option<Time>,
    pub(in crate::machine::tests) sessions: Sessions,
    /// It announced a restart for then.
    pub(super) restart_at: Option<Time>,
    /// Its handle was asked to stop it.
    pub(in crate::machine::tests) asked_to_stop: bool,
    /// It is to begin a new life, not before then.
    pub(in crate::machine::tests) restarts: Option<Time>,
    /// Where it must stand when all is over.
    pub(super) outcome: Option<ServiceOutcome>,
    /// How often it was accounted for.
    pub(super) accounts: u32,
}

impl Seen {
    pub(super) fn new(spec: &ServiceSpec, before: RunId) -> Self {
        Self {
            spec: Given(Rc::new(spec.clone())),
            refused: false,
            run: before,
            before,
            live: false,
            ready: false,
            was_ready: false,
            stop_by: None,
            sessions: Sessions::default(),
            restart_at: None,
            asked_to_stop: false,
            restarts: None,
            outcome: None,
            accounts: 0,
        }
    }

    pub(in crate::machine::tests) fn has_started(&self) -> bool {
        self.run != self.before
    }

    pub(super) fn begin(&mut self, run: RunId) {
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
    /// Until when the edge has time at least.
    pub(super) front_ends: Time,
    /// What each service must have from when it is told, if others stop before it.
    pub(super) reserved: Vec<Duration>,
    /// Each service's step.
    pub(super) levels: Vec<usize>,
    pub(super) last_waiting_line: Time,
}

//! The script of a world. All times are in milliseconds; `None` means never.

use super::{ms, service};
use crate::machine::backoff::Backoff;
use crate::machine::budget::Allowance;
use crate::machine::restart::{Limit, Restart};
use crate::machine::spec::{Ready, Reference, ServiceSpec, Start};

/// A whole world.
#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct World {
    pub(in crate::machine::tests) grace: u64,
    pub(in crate::machine::tests) drain_delay: u64,
    pub(in crate::machine::tests) main: MainScript,
    pub(in crate::machine::tests) services: Vec<ServiceScript>,
    /// Services are added after those that need them.
    pub(in crate::machine::tests) needed_come_last: bool,
    /// One more `after`, which may name a missing service or close a cycle.
    pub(in crate::machine::tests) rogue: Option<(usize, usize)>,
    pub(in crate::machine::tests) root_sessions: Vec<SessionScript>,
    pub(in crate::machine::tests) orders: Vec<Order>,
    /// How long a new process may take.
    pub(in crate::machine::tests) upgrade_timeout: u64,
    /// The old process that this one takes over from.
    pub(in crate::machine::tests) predecessor: Option<PredecessorScript>,
    /// When the last signal to stop is sent.
    pub(in crate::machine::tests) terminated: u64,
    /// How late the control plane wakes the machine, in turn.
    pub(in crate::machine::tests) lags: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct MainScript {
    pub(in crate::machine::tests) listens: bool,
    pub(in crate::machine::tests) runs: Option<u64>,
    /// When it returns by itself.
    pub(in crate::machine::tests) ends: Option<u64>,
    pub(in crate::machine::tests) reason: End,
    pub(in crate::machine::tests) obeys: Option<u64>,
    pub(in crate::machine::tests) drops_in: Option<u64>,
    pub(in crate::machine::tests) teardown: Option<u64>,
}

#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct ServiceScript {
    /// A bit for each earlier service that this one needs.
    pub(in crate::machine::tests) needs: u16,
    /// The needed services that it is bound to, and those of them that are bound to it as well.
    pub(in crate::machine::tests) bound: u16,
    pub(in crate::machine::tests) bound_dependents: u16,
    pub(in crate::machine::tests) added: u64,
    pub(in crate::machine::tests) restart: Restart,
    pub(in crate::machine::tests) failures: u32,
    pub(in crate::machine::tests) notify: bool,
    pub(in crate::machine::tests) optional: bool,
    pub(in crate::machine::tests) cancel: bool,
    pub(in crate::machine::tests) grace: Option<u64>,
    pub(in crate::machine::tests) ready_after: Option<u64>,
    pub(in crate::machine::tests) runs: Vec<RunScript>,
    /// How long after the signal to stop it ends.
    pub(in crate::machine::tests) obeys: Option<u64>,
    pub(in crate::machine::tests) obeys_with: End,
    pub(in crate::machine::tests) dies_in: Option<u64>,
    /// How long the drop of its state takes, and whether it panics.
    pub(in crate::machine::tests) drops_in: Option<u64>,
    pub(in crate::machine::tests) drop_panics: bool,
    pub(in crate::machine::tests) retries: bool,
    /// When each of its ends is reported a second time.
    pub(in crate::machine::tests) echoes_after: Option<u64>,
    pub(in crate::machine::tests) sessions: Vec<SessionScript>,
    /// The children that each run starts. Their `needs` and `bound` mean siblings.
    pub(in crate::machine::tests) children: Vec<ServiceScript>,
}

#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct RunScript {
    pub(in crate::machine::tests) lasts: Option<u64>,
    pub(in crate::machine::tests) end: End,
}

#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct SessionScript {
    pub(in crate::machine::tests) at: u64,
    pub(in crate::machine::tests) lasts: Option<u64>,
    pub(in crate::machine::tests) obeys: Option<u64>,
    /// The grace of its own.
    pub(in crate::machine::tests) grace: Option<u64>,
}

#[derive(Clone, Debug)]
pub(in crate::machine::tests) enum Order {
    Signal { at: u64, delivered: u64, from_terminal: bool },
    Frozen { at: u64, span: u64 },
    Shutdown { at: u64 },
    Stop { at: u64, service: usize },
    Restart { at: u64, service: usize },
    HandOver { at: u64, successor: SuccessorScript },
}

/// What a new process does.
#[derive(Clone, Copy, Debug)]
pub(in crate::machine::tests) struct SuccessorScript {
    pub(in crate::machine::tests) spawned: u64,
    pub(in crate::machine::tests) ready: Option<u64>,
    pub(in crate::machine::tests) ends: Option<u64>,
}

/// What an old process does after this one announces itself, or when it dies before.
#[derive(Clone, Copy, Debug)]
pub(in crate::machine::tests) struct PredecessorScript {
    pub(in crate::machine::tests) stops: Option<u64>,
    pub(in crate::machine::tests) ends: u64,
    pub(in crate::machine::tests) dies: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::machine::tests) enum End {
    Done,
    Failed,
    Panicked,
    Dropped,
}

impl World {
    pub(super) fn allowance(&self) -> Allowance {
        Allowance { grace: ms(self.grace), drain_delay: ms(self.drain_delay) }
    }

    /// The spec of every service except children, and when it is added.
    pub(super) fn specs(&self) -> Vec<(u64, ServiceSpec)> {
        let count = self.services.len();
        let name = |at: usize| (if self.needed_come_last { count - 1 - at } else { at }).to_string();
        let mut specs = specs(&self.services, name);
        if let Some((from, to)) = self.rogue
            && let Some((_, spec)) = specs.get_mut(from)
        {
            spec.after.push(Reference::Name(to.to_string()));
        }
        if self.needed_come_last {
            specs.reverse();
        }
        specs
    }
}

/// The specs of siblings, and when each is added.
pub(super) fn specs(family: &[ServiceScript], name: impl Fn(usize) -> String) -> Vec<(u64, ServiceSpec)> {
    let spec = |(at, script): (usize, &ServiceScript)| {
        let needs = |others: u16| (0..at).filter(move |need| others & (1 << need) != 0);
        let after = needs(script.needs & !script.bound).map(&name);
        let bound_to = needs(script.needs & script.bound).map(&name);
        let is_back =
            |&(_, other): &(usize, &ServiceScript)| other.needs & other.bound & other.bound_dependents & (1 << at) != 0;
        let back = family.iter().enumerate().skip(at + 1).filter(is_back).map(|(other, _)| name(other));
        let mut spec = service(&name(at), &[]);
        spec.after = after.map(Reference::Name).collect();
        spec.bound_to = bound_to.chain(back).map(Reference::Name).collect();
        spec.restart.restart = script.restart;
        spec.restart.limit = Limit { failures: script.failures, window: ms(2_000) };
        spec.restart.backoff = Backoff { min: ms(50), max: ms(400) };
        spec.ready = if script.notify { Ready::Notify } else { Ready::Started };
        spec.start_timeout = ms(1_000);
        spec.grace = script.grace.map(ms);
        spec.start = if script.retries { Start::Retry } else { Start::Fail };
        spec.optional = script.optional;
        spec.cancel = script.cancel;
        (script.added, spec)
    };
    family.iter().enumerate().map(spec).collect()
}

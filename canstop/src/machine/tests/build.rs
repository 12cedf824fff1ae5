//! Short constructors for what the tests use often.

use std::time::Duration;

use crate::machine::backoff::Backoff;
use crate::machine::budget::Allowance;
use crate::machine::cause::Signal;
use crate::machine::id::{Owner, RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::location::Location;
use crate::machine::restart::{Limit, Restart};
use crate::machine::spec::{Parent, Ready, Reference, ServiceSpec, Start};
use crate::machine::time::Time;

pub(super) const TERMINATE: Input = signal(Signal::Terminate, u64::MAX);

/// A signal that was delivered at this time, or now if that time is in the future.
pub(super) const fn signal(signal: Signal, at: u64) -> Input {
    Input::Signal { signal, at: self::at(at), from_terminal: false }
}

/// The place of every `ready()` call.
const HERE: Location = Location { file: "main.rs", line: 7 };

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) const fn at(milliseconds: u64) -> Time {
    Time::after_start(ms(milliseconds))
}

pub(super) fn allowance(grace: u64, drain_delay: u64) -> Allowance {
    Allowance { grace: ms(grace), drain_delay: ms(drain_delay) }
}

/// A service without options that comes after others.
pub(super) fn service(name: &str, after: &[&str]) -> ServiceSpec {
    let mut spec = ServiceSpec::new(name, Location { file: "main.rs", line: 1 });
    spec.after = named(after);
    // Equal bounds leave nothing to chance: states that differ only in a random backoff would never be equal.
    spec.restart.backoff = Backoff { min: ms(200), max: ms(200) };
    spec.restart.limit = Limit { failures: 1, window: ms(10_000) };
    spec
}

fn named(names: &[&str]) -> Vec<Reference> {
    names.iter().map(|name| Reference::Name((*name).to_owned())).collect()
}

/// Setters for a spec, in reading order.
pub(super) trait Options {
    fn restart(self, restart: Restart) -> Self;
    fn limit(self, failures: u32) -> Self;
    fn backoff(self, min: u64, max: u64) -> Self;
    fn notify(self) -> Self;
    fn grace(self, milliseconds: u64) -> Self;
    fn optional(self) -> Self;
    fn retry(self) -> Self;
    fn cancel(self) -> Self;
    fn bound_to(self, names: &[&str]) -> Self;
    fn child_of(self, id: usize, run: u32) -> Self;
}

impl Options for ServiceSpec {
    fn restart(mut self, restart: Restart) -> Self {
        self.restart.restart = restart;
        self
    }

    fn limit(mut self, failures: u32) -> Self {
        self.restart.limit.failures = failures;
        self
    }

    fn backoff(mut self, min: u64, max: u64) -> Self {
        self.restart.backoff = Backoff { min: ms(min), max: ms(max) };
        self
    }

    fn notify(mut self) -> Self {
        self.ready = Ready::Notify;
        self
    }

    fn grace(mut self, milliseconds: u64) -> Self {
        self.grace = Some(ms(milliseconds));
        self
    }

    fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    fn retry(mut self) -> Self {
        self.start = Start::Retry;
        self
    }

    fn cancel(mut self) -> Self {
        self.cancel = true;
        self
    }

    fn bound_to(mut self, names: &[&str]) -> Self {
        self.bound_to = named(names);
        self
    }

    fn child_of(mut self, id: usize, run: u32) -> Self {
        self.parent = Some(Parent { id: ServiceId(id), run: RunId(run) });
        self
    }
}

pub(super) fn added(spec: ServiceSpec) -> Input {
    Input::ServiceAdded(Box::new(spec))
}

pub(super) fn ready(id: usize, run: u32) -> Input {
    Input::ServiceReady { id: ServiceId(id), run: RunId(run), location: HERE }
}

pub(super) fn ended(id: usize, run: u32, reason: ExitReason) -> Input {
    Input::ServiceEnded { id: ServiceId(id), run: RunId(run), reason }
}

pub(super) fn state_dropped(id: usize, run: u32, panic: Option<&str>) -> Input {
    Input::StateDropped { id: ServiceId(id), run: RunId(run), panic: panic.map(str::to_owned) }
}

pub(super) fn failed() -> ExitReason {
    ExitReason::Failed("disk full".to_owned())
}

pub(super) fn panicked() -> ExitReason {
    ExitReason::Panicked("index out of bounds".to_owned())
}

/// A handle restarts the first service that has this id.
pub(super) fn restart(id: usize) -> Input {
    Input::RestartService { id: ServiceId(id), before: RunId::default() }
}

/// A handle stops the first service that has this id.
pub(super) fn stop(id: usize) -> Input {
    Input::StopService { id: ServiceId(id), before: RunId::default() }
}

pub(super) fn shutdown() -> Input {
    Input::ShutdownRequested { reason: "enough".to_owned() }
}

pub(super) fn root_sessions(alive: u64) -> Input {
    Input::SessionsCounted(vec![(Owner::Root, alive)])
}

pub(super) fn sessions_of(id: usize, alive: u64) -> Input {
    Input::SessionsCounted(vec![(Owner::Service(ServiceId(id)), alive)])
}

/// Sessions with a grace of their own.
pub(super) fn group(home: Owner, grace: u64) -> Input {
    Input::GroupAdded { home, grace: ms(grace), cancels: false }
}

pub(super) fn sessions_in(group: usize, alive: u64) -> Input {
    Input::SessionsCounted(vec![(Owner::Group(group), alive)])
}

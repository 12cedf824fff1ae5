//! What the machine would otherwise search all services for: counters, timers and queues.
//!
//! Whatever changes a service touches it. [`super::tracking`] then derives the service's facts anew and corrects
//! everything here by the difference. So an input costs in proportion to the services that it concerns, however
//! many there are. The tests compare all of it with a search after every input.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::facts::Ended;
use super::id::ServiceId;
use super::location::Location;
use super::names::Names;
use super::time::Time;
use super::timer::{Timer, Timers};

/// What all services come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pub(super) touched: Vec<ServiceId>,
    /// The services that were touched since the control plane asked last.
    pub(super) changed: Vec<ServiceId>,
    pub(super) unfinished: usize,
    pub(super) running: usize,
    pub(super) waiting: usize,
    pub(super) open_requests: usize,
    /// How many services are not drained, by stop level.
    pub(super) undrained: BTreeMap<usize, usize>,
    pub(super) timers: Timers,
    pub(super) root_groups: Vec<usize>,
    /// Services whose request may have to rise, whose turn to stop or to start may have come.
    pub(super) for_request: BTreeSet<ServiceId>,
    pub(super) for_stop: BTreeSet<ServiceId>,
    pub(super) for_start: BTreeSet<ServiceId>,
    /// The services that others can name.
    pub(super) names: Names,
    /// All services, by their whole names.
    pub(super) paths: HashMap<String, BTreeSet<ServiceId>>,
    /// Ended children by their place, in the order in which they ended; apart those that are in the plan, and those
    /// that are not.
    pub(super) ended: HashMap<(Location, bool), BTreeSet<(u64, ServiceId)>>,
    pub(super) ended_so_far: u64,
    /// How many ended children have given their ids away.
    pub(super) forgotten: u64,
}

impl Index {
    /// Looks at a service in the next round of decisions.
    pub(super) fn consider(&mut self, id: ServiceId) {
        self.for_request.insert(id);
        self.for_stop.insert(id);
        self.for_start.insert(id);
    }

    pub(super) fn all_are_over(&self) -> bool {
        self.unfinished == 0
    }

    pub(super) fn any_runs(&self) -> bool {
        self.running > 0
    }

    pub(super) fn any_waits_to_start(&self) -> bool {
        self.waiting > 0
    }

    pub(super) fn any_request_open(&self) -> bool {
        self.open_requests > 0
    }

    pub(super) fn is_drained_up_to(&self, level: usize) -> bool {
        self.undrained.keys().next().is_none_or(|&lowest| lowest > level)
    }

    /// The services whose timers of this kind are due, in the order of their ids.
    pub(super) fn services_due(&self, timer: Timer, now: Time) -> impl Iterator<Item = ServiceId> + use<> {
        self.timers.due(timer, now).into_iter().map(ServiceId)
    }

    /// The services of this whole name.
    pub(super) fn of_path(&self, path: &str) -> impl Iterator<Item = ServiceId> {
        self.paths.get(path).into_iter().flatten().copied()
    }

    /// Counts a service of a stop level that is not drained, or is no longer one.
    pub(super) fn count_undrained(&mut self, before: Option<usize>, now: Option<usize>) {
        if before == now {
            return;
        }
        if let Some(level) = now {
            *self.undrained.entry(level).or_default() += 1;
        }
        if let Some(level) = before
            && let Some(left) = self.undrained.get_mut(&level)
        {
            *left -= 1;
            if *left == 0 {
                self.undrained.remove(&level);
            }
        }
    }

    /// Notes where an ended child is found that may give its id away.
    pub(super) fn list_ended(&mut self, id: ServiceId, location: Location, before: Option<Ended>, now: Option<Ended>) {
        if let Some(Ended { is_planned, number }) = before
            && let Some(ended) = self.ended.get_mut(&(location, is_planned))
        {
            ended.remove(&(number, id));
            if ended.is_empty() {
                self.ended.remove(&(location, is_planned));
            }
        }
        if let Some(Ended { is_planned, number }) = now {
            self.ended.entry((location, is_planned)).or_default().insert((number, id));
            self.ended_so_far = self.ended_so_far.max(number + 1);
        }
    }
}

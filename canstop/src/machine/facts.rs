//! What follows from the state of a single service.

use super::id::RunId;
use super::stage::Request;
use super::time::Time;

/// A service's part in the [index](super::index::Index).
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexEntry {
    pub(super) facts: Facts,
    /// It may have changed since its facts were derived.
    pub(super) is_touched: bool,
    /// It may have changed since the control plane asked last.
    pub(super) is_changed: bool,
    pub(super) undrained_children: usize,
    /// How many children wait for a run of theirs.
    pub(super) waiting_children: usize,
    /// How many services it stops after, and still waits for.
    pub(super) blockers: usize,
    /// Its groups of sessions.
    pub(super) groups: Vec<usize>,
}

/// What follows from a service's state. The default is that of a service that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) unfinished: bool,
    pub(super) running: Option<RunId>,
    pub(super) waiting: bool,
    pub(super) request: Option<Request>,
    pub(super) open_request: bool,
    pub(super) lets_dependents_start: bool,
    pub(super) lets_bound_start: bool,
    /// Its stop level, while it is not drained.
    pub(super) undrained: Option<usize>,
    /// What stops after it waits for it.
    pub(super) blocks: bool,
    pub(super) stop_ends: Option<Time>,
    pub(super) start_ends: Option<Time>,
    pub(super) restart: Option<Time>,
    /// Others can name it.
    pub(super) is_known: bool,
    /// It is a child that is gone: which one, counted by their ends.
    pub(super) ended: Option<Ended>,
}

/// An ended child whose id another may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ended {
    pub(super) is_planned: bool,
    /// How many had ended before it.
    pub(super) number: u64,
}

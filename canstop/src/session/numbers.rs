//! The control plane's numbers that others may read at any moment.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::machine::Phase;

/// The control plane's numbers, as of its last turn.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pub(crate) phase: Phase,
    /// Whether everything is ready.
    pub(crate) ready: bool,
    pub(crate) blocked_threads: u64,
    /// For how long the data plane has not answered, or a listener has not accepted; zero where they are not asked.
    pub(crate) stall: Duration,
    /// When a stop was requested, and when it ends.
    pub(crate) stop: Option<(Instant, Instant)>,
    /// The last line about what the stop waits for.
    pub(crate) waiting: Option<String>,
    /// How many services, sessions and blocking calls were abandoned.
    pub(crate) abandoned: u64,
    /// How many connections wait to be accepted, by the name of their listener.
    pub(crate) accept_queues: BTreeMap<String, u64>,
}

impl Numbers {
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::SettingUp,
            ready: false,
            blocked_threads: 0,
            stall: Duration::ZERO,
            stop: None,
            waiting: None,
            abandoned: 0,
            accept_queues: BTreeMap::new(),
        }
    }
}

//! What the control plane knows and others may read at any moment.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::supervisor::Supervisor;
use super::tally::Tally;
use crate::machine::Phase;

/// The control plane's numbers, as of its last look.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pub(crate) phase: Phase,
    /// Whether everything is ready.
    pub(crate) ready: bool,
    pub(crate) blocked_threads: u64,
    /// For how long the data plane may not have turned, or a listener has not accepted; zero where nobody looks.
    pub(crate) stall: Duration,
    /// When a stop was requested, and when it ends.
    pub(crate) stop: Option<(Instant, Instant)>,
    /// The last line about what is waited for.
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

/// How many sessions there were since the program began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionTotals {
    pub(crate) started: u64,
    pub(crate) finished: u64,
}

impl Supervisor {
    /// The numbers; nothing panics or waits while it holds them.
    pub(crate) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.shared_numbers().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts all sessions, those of services that are gone included: these numbers never fall.
    pub(crate) fn session_totals(&self) -> SessionTotals {
        let scopes = || {
            let gone = self.scope_pool().all().into_iter().flat_map(|scope| {
                let groups = scope.groups();
                std::iter::once(scope).chain(groups)
            });
            self.scopes().into_iter().chain(gone)
        };
        // Finished first, as always: more may start meanwhile.
        let finished = scopes().map(|scope| scope.sum(Tally::finished)).sum::<u64>();
        let started = scopes().map(|scope| scope.sum(Tally::started)).sum::<u64>();
        SessionTotals { started, finished }
    }
}

/// The place that a supervisor keeps them in.
pub(super) type SharedNumbers = Mutex<Numbers>;

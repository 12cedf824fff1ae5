//! What a control plane is configured with.

use crate::machine::{Allowance, StopSources};
use crate::settings::{LogLevel, Resolved};

/// The settings of one supervisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) allowance: Allowance,
    pub(crate) sources: StopSources,
    /// What is worth a line on stderr where no subscriber is set.
    pub(crate) log: LogLevel,
    /// Seeds the jitter of the pauses before restarts.
    pub(crate) seed: u64,
}

impl Settings {
    /// Settings with a seed of this process's own, so that the replicas of a program do not restart their
    /// services in step. It need not be unguessable.
    pub(crate) fn new(resolved: &Resolved) -> Self {
        let Resolved { grace, drain_delay, .. } = resolved;
        let nanoseconds = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
        let allowance = Allowance { grace: grace.value, drain_delay: drain_delay.value };
        let sources = StopSources { grace: grace.source, drain_delay: drain_delay.source };
        Self { allowance, sources, log: resolved.log, seed: u64::from(std::process::id()) ^ nanoseconds }
    }
}

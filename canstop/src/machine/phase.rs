//! How far the program has come.

/// Phases are ordered, and the program never goes back to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The body of `main` runs; no service has been started.
    SettingUp,
    /// Services are started and supervised.
    Running,
    /// Stop requested; everything still serves, so that load balancers can look away.
    DrainDelay,
    /// The services of this stop level, and the sessions that belong to them, are asked to end.
    /// Level 0 is the front.
    Stopping(usize),
    /// The code after `run()` in `main` runs.
    TearingDown,
    /// Flush hooks run; everything else has stopped.
    Flushing,
    /// It is over.
    Finished,
}

impl Phase {
    pub(crate) fn is_stopping(self) -> bool {
        self >= Phase::DrainDelay
    }
}

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

/// How a phase appears on pages and in series.
struct Names {
    /// For programs.
    word: &'static str,
    /// For people, as the state of the program.
    headline: &'static str,
    /// For people, as a step of the stop.
    step: &'static str,
}

impl Phase {
    /// The words of all phases, in their order.
    pub(crate) const WORDS: [&'static str; 7] =
        ["setting_up", "running", "drain_delay", "stopping", "tearing_down", "flushing", "finished"];

    fn names(self) -> Names {
        let names = |word, headline, step| Names { word, headline, step };
        match self {
            Phase::SettingUp => names("setting_up", "Setting up", "setup"),
            Phase::Running => names("running", "Running", "run"),
            Phase::DrainDelay => names("drain_delay", "Draining: everything still serves", "drain delay"),
            // The services of its level name the step.
            Phase::Stopping(_) => names("stopping", "Stopping", "sessions"),
            Phase::TearingDown => names("tearing_down", "Tearing down", "teardown"),
            Phase::Flushing => names("flushing", "Flushing", "flush"),
            Phase::Finished => names("finished", "Stopped", "end"),
        }
    }

    /// The phase in a word, for programs.
    pub(crate) fn word(self) -> &'static str {
        self.names().word
    }

    /// The phase as the state of the program, for people.
    pub(crate) fn headline(self) -> &'static str {
        self.names().headline
    }

    /// The phase as a step of the stop, for people.
    pub(crate) fn step_name(self) -> &'static str {
        self.names().step
    }

    pub(crate) fn is_stopping(self) -> bool {
        self >= Phase::DrainDelay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_its_words() {
        use Phase::{DrainDelay, Finished, Flushing, Running, SettingUp, Stopping, TearingDown};
        let phases = [SettingUp, Running, DrainDelay, Stopping(3), TearingDown, Flushing, Finished];
        assert_eq!(phases.map(Phase::word), Phase::WORDS);
        assert_eq!(
            (DrainDelay.step_name(), DrainDelay.headline()),
            ("drain delay", "Draining: everything still serves")
        );
        assert_eq!((TearingDown.step_name(), TearingDown.headline()), ("teardown", "Tearing down"));
    }
}

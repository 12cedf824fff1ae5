//! What the machine remembers of one service.

use std::time::Duration;

use super::facts::IndexEntry;
use super::id::{Owner, RunId};
use super::restart::History;
use super::spec::ServiceSpec;
use super::stage::{Request, ServiceOutcome, Stage, UserState};
use super::time::Time;

/// A service and its past.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) spec: ServiceSpec,
    pub(crate) stage: Stage,
    /// The present run, or the last one.
    pub(crate) run: RunId,
    /// The last run of the service that had this id before.
    pub(crate) before: RunId,
    /// The last run of a service of another name that had it.
    pub(crate) before_name: RunId,
    /// Until when the present run and its sessions have time to stop, once they were signalled.
    pub(crate) stop_by: Option<Time>,
    pub(crate) request: Option<Request>,
    pub(crate) history: History,
    pub(crate) first_began: Option<Time>,
    pub(crate) was_ready: bool,
    /// It did not fit into the plan of the running program.
    pub(super) is_refused: bool,
    /// When it left readiness, until it is ready again.
    pub(super) left_ready: Option<Time>,
    pub(crate) last_error: Option<String>,
    pub(crate) sessions: Sessions,
    pub(crate) user_state: UserState,
    /// The warning about a `ready()` without effect was given.
    pub(crate) ready_ignored: bool,
    pub(crate) entry: IndexEntry,
}

impl Service {
    /// A service in the place of another that is gone, if there was one.
    pub(crate) fn planned(spec: ServiceSpec, gone: Option<&Service>) -> Self {
        let before = gone.map_or(RunId::default(), |gone| gone.run);
        let before_name = gone.filter(|gone| gone.spec.name == spec.name).map_or(before, |gone| gone.before_name);
        Self {
            spec,
            stage: Stage::Planned,
            run: before,
            before,
            before_name,
            stop_by: None,
            request: None,
            history: History::default(),
            first_began: None,
            was_ready: false,
            is_refused: false,
            left_ready: None,
            last_error: None,
            sessions: Sessions::default(),
            user_state: UserState::Held,
            ready_ignored: false,
            entry: IndexEntry::default(),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running { .. })
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_))
    }

    /// May the services that name it in `after` start? One that was ready once delays none of them while it
    /// restarts, and one that was refused delays none that has another reason to name it.
    pub(crate) fn lets_dependents_start(&self) -> bool {
        match self.stage {
            Stage::Over(_) => self.ended_for_others(),
            _ => self.was_ready,
        }
    }

    /// May the services that are bound to it start?
    pub(crate) fn lets_bound_start(&self) -> bool {
        match self.stage {
            Stage::Running { ready, .. } => ready && self.request.is_none(),
            Stage::Over(_) => self.ended_for_others(),
            Stage::Planned | Stage::BackingOff { .. } => false,
        }
    }

    /// Has it ended in a way that does not keep the services that need it from starting?
    fn ended_for_others(&self) -> bool {
        self.is_refused || matches!(self.stage, Stage::Over(ServiceOutcome::Done | ServiceOutcome::Lost))
    }

    /// Is it wanted to end for good?
    pub(crate) fn is_to_end(&self) -> bool {
        self.request >= Some(Request::EndWithParent)
    }

    /// Is it wanted to begin a new run?
    pub(crate) fn is_to_restart(&self) -> bool {
        matches!(self.request, Some(Request::Restart { .. }))
    }

    /// Does it wait to be started, for the first time or again?
    pub(crate) fn waits_to_start(&self) -> bool {
        matches!(self.stage, Stage::Planned | Stage::BackingOff { .. })
    }

    pub(crate) fn starts_again_at(&self) -> Option<Time> {
        match self.stage {
            Stage::BackingOff { until } => Some(until),
            _ => None,
        }
    }

    /// Is its body running, or its state being dropped?
    pub(crate) fn is_busy(&self) -> bool {
        self.is_running() || self.user_state == UserState::Dropping
    }

    /// Notes that it is not ready any more, if it was.
    pub(super) fn leaves_ready(&mut self, now: Time) {
        if self.was_ready {
            self.left_ready.get_or_insert(now);
        }
    }

    /// How often it was started again, and one of its name before it.
    pub(crate) fn restarts(&self) -> u32 {
        self.run_number().saturating_sub(1)
    }

    /// The run, counted from the first one of this name.
    pub(crate) fn run_number(&self) -> u32 {
        self.run.0.wrapping_sub(self.before_name.0)
    }
}

/// Sessions that belong to `home`, but have less time than it.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) home: Owner,
    pub(crate) grace: Duration,
    /// Until when it has time, once its home was signalled.
    pub(crate) stop_by: Option<Time>,
    /// Its sessions are dropped without blame when its time is up.
    pub(crate) cancels: bool,
    /// They were.
    pub(crate) cancelled: bool,
    pub(crate) sessions: Sessions,
}

impl Group {
    /// When what is left of it is abandoned.
    pub(crate) fn time_ends(&self) -> Option<Time> {
        self.stop_by.filter(|_| !self.cancelled && !self.sessions.are_drained())
    }

    /// Gives it its time, within that of its home. Sessions that may be cancelled are dropped a moment before
    /// their home is abandoned, so that they are gone by then.
    pub(crate) fn stop(&mut self, now: Time, home_until: Time, own_until: Time) {
        let left = home_until.since(now);
        let home_until = if self.cancels { now + (left - CANCELLED_BEFORE.min(left / 10)) } else { home_until };
        self.stop_by = Some(home_until.min(own_until));
    }
}

/// How long before the end of their home's time sessions are cancelled.
const CANCELLED_BEFORE: Duration = Duration::from_millis(50);

/// The sessions that belong to one owner.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sessions {
    /// How many were alive when they were last counted.
    pub(crate) alive: u64,
    /// Their time is up: they are no longer waited for.
    pub(crate) abandoned: bool,
}

impl Sessions {
    pub(crate) fn are_drained(self) -> bool {
        self.alive == 0 || self.abandoned
    }

    /// Abandons what is left, and returns how many that are.
    pub(crate) fn abandon(&mut self) -> u64 {
        if self.are_drained() {
            return 0;
        }
        self.abandoned = true;
        self.alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::after_start(Duration::from_millis(milliseconds))
    }

    fn group(cancels: bool) -> Group {
        Group {
            home: Owner::Root,
            grace: Duration::from_secs(1),
            stop_by: None,
            cancels,
            cancelled: false,
            sessions: Sessions { alive: 1, abandoned: false },
        }
    }

    #[test]
    fn sessions_are_cancelled_a_moment_before_their_homes_time_is_up() {
        let ends = |cancels, home, own| {
            let mut group = group(cancels);
            group.stop(at(1_000), at(home), at(own));
            group.stop_by
        };
        assert_eq!(ends(true, 1_200, 9_000), Some(at(1_180)));
        assert_eq!(ends(true, 5_000, 9_000), Some(at(4_950)));
        assert_eq!(ends(true, 5_000, 2_000), Some(at(2_000)));
        assert_eq!(ends(false, 5_000, 9_000), Some(at(5_000)));
    }

    #[test]
    fn a_group_has_an_end_while_something_of_it_is_left() {
        let mut group = group(true);
        assert_eq!(group.time_ends(), None);
        group.stop_by = Some(at(7));
        assert_eq!(group.time_ends(), Some(at(7)));
        assert_eq!(Group { cancelled: true, ..group.clone() }.time_ends(), None);
        assert_eq!(Group { sessions: Sessions::default(), ..group }.time_ends(), None);
    }
}

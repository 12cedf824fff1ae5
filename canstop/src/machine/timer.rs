//! What is due, and when: the one table of all timers.

use std::collections::BTreeSet;

use super::time::Time;

/// What happens at a time. Those of the first four kinds are set for a service or a group of sessions, by its
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// What is left of a service that was signalled is abandoned.
    ServiceStop,
    /// What is left of a group of sessions that was signalled is abandoned.
    GroupStop,
    /// A service that is not ready fails the start.
    ServiceStart,
    /// The next run of a service may begin.
    Restart,
    /// A hand-over to a new process has failed.
    HandOver,
    /// The root's sessions, and `main` where it is not in `run()`, are abandoned.
    RootStop,
    /// The present step of the stop is over, or abandons what it waits for.
    Step,
    /// One more line says what is waited for.
    WaitingLine,
    /// The stop is over.
    Deadline,
}

impl Timer {
    const KINDS: usize = Timer::Deadline as usize + 1;
}

/// All timers, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timers([BTreeSet<(Time, usize)>; Timer::KINDS]);

impl Timers {
    /// Moves the timer of a service or group.
    pub(super) fn reset(&mut self, timer: Timer, id: usize, before: Option<Time>, at: Option<Time>) {
        let timers = &mut self.0[timer as usize];
        if before != at {
            before.inspect(|&before| {
                timers.remove(&(before, id));
            });
            at.inspect(|&at| {
                timers.insert((at, id));
            });
        }
    }

    /// Sets the only timer of its kind.
    pub(super) fn set(&mut self, timer: Timer, at: Option<Time>) {
        let timers = &mut self.0[timer as usize];
        if timers.first().map(|&(before, _)| before) != at {
            *timers = at.map(|at| (at, 0)).into_iter().collect();
        }
    }

    /// The services or groups whose timers are due, in the order of their numbers.
    pub(super) fn due(&self, timer: Timer, now: Time) -> Vec<usize> {
        let timers = self.0[timer as usize].iter();
        let mut due: Vec<_> = timers.take_while(|&&(at, _)| at <= now).map(|&(_, id)| id).collect();
        due.sort_unstable();
        due
    }

    /// The latest timer of a kind.
    pub(super) fn last(&self, timer: Timer) -> Option<Time> {
        self.0[timer as usize].last().map(|&(at, _)| at)
    }

    /// The earliest timer of all.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.iter().filter_map(|timers| timers.first().map(|&(at, _)| at)).min()
    }
}

//! The end of a stop: flush hooks while the data plane is still there, and values that are dropped last.

use std::time::Duration;

use super::action::Action;
use super::budget::Allowance;
use super::event::Event;
use super::exit::Exit;
use super::phase::Phase;
use super::state::State;
use super::time::Time;

/// As long as flush hooks have together.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// What is left to do when everything has stopped.
#[derive(Clone, Debug, Default)]
pub(super) struct Closing {
    /// How many flush hooks there are that have not ended.
    hooks: u64,
    /// Values are kept for after the last line.
    keeps: bool,
    /// Until when the hooks have time, once they run.
    flush_until: Option<Time>,
}

impl Closing {
    /// How much of the grace is kept for it, so that nothing before it can use it up.
    pub(super) fn reserve(&self, allowance: Allowance) -> Duration {
        let flush = if self.hooks > 0 { (allowance.grace / 5).min(FLUSH_LIMIT) } else { Duration::ZERO };
        let keep = if self.keeps { (allowance.grace / 10).min(Duration::from_secs(1)) } else { Duration::ZERO };
        flush + keep
    }
}

impl State {
    /// A hook that is added once the hooks run comes too late, and does not run.
    pub(super) fn add_flush_hook(&mut self) {
        if self.phase < Phase::Flushing {
            self.closing.hooks += 1;
        }
    }

    pub(super) fn keep_for_the_end(&mut self) {
        self.closing.keeps = true;
    }

    /// Data that a hook could not flush is lost: the program has failed.
    pub(super) fn flushed(&mut self, name: String, panic: Option<String>) {
        self.closing.hooks = self.closing.hooks.saturating_sub(1);
        if let Some(error) = panic {
            self.exit = self.exit.max(Exit::Failed);
            self.emit(Event::FlushFailed { name, error });
        }
    }

    /// Lets the hooks run, if there are any, and else the program end.
    pub(super) fn begin_closing(&mut self, now: Time) {
        if self.closing.hooks == 0 {
            return self.finish();
        }
        let limit = (self.allowance.grace / 5).min(FLUSH_LIMIT);
        let until = (now + limit).min(self.deadline().unwrap_or(now + limit)).max(now + super::budget::FIRST_POLL);
        self.phase = Phase::Flushing;
        self.closing.flush_until = Some(until);
        self.actions.push(Action::Flush);
    }

    /// Ends the flush when every hook has ended, or when their time is up.
    pub(super) fn ends_flush(&mut self, now: Time) -> bool {
        let is_up = self.closing.flush_until.is_none_or(|until| now >= until);
        if self.closing.hooks > 0 && !is_up {
            return false;
        }
        if self.closing.hooks > 0 {
            self.exit = self.exit.max(Exit::Abandoned);
            self.actions.push(Action::AbandonFlush);
        }
        self.finish();
        true
    }

    pub(super) fn flush_until(&self) -> Option<Time> {
        self.closing.flush_until.filter(|_| self.phase == Phase::Flushing)
    }

    fn finish(&mut self) {
        self.phase = Phase::Finished;
        self.actions.push(Action::Finish);
    }
}

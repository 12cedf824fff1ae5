//! Flush hooks, and values that are kept for the end.

use super::action::Action;
use super::budget::FIRST_POLL;
use super::event::Event;
use super::exit::Exit;
use super::phase::Phase;
use super::state::State;
use super::time::Time;

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

    /// Lets the hooks run, if there are any.
    pub(super) fn flush(&mut self, now: Time) {
        if self.closing.hooks == 0 {
            return;
        }
        let until = now + self.closing.flush_limit(self.allowance.grace);
        let until = until.min(self.deadline().unwrap_or(until)).max(now + FIRST_POLL);
        self.closing.flush_until = Some(until);
        self.resume_root(until);
        self.actions.push(Action::Flush);
    }

    /// Data that a hook could not flush is lost: the program has failed.
    pub(super) fn flushed(&mut self, name: String, panic: Option<String>) {
        self.closing.hooks = self.closing.hooks.saturating_sub(1);
        if let Some(error) = panic {
            self.exit = self.exit.max(Exit::Failed);
            self.emit(Event::FlushFailed { name, error });
        }
    }

    pub(super) fn abandon_flush(&mut self) {
        self.closing.hooks = 0;
        self.exit = self.exit.max(Exit::Abandoned);
        self.actions.push(Action::AbandonFlush);
    }
}

//! Doing what the machine decided.

use std::time::Duration;

use super::drain_stats::StragglerNaming;
use super::event_loop::{EventLoop, Over};
use crate::machine::{Abandoned, Action, Cause, Event, Report, ServiceReport, Stage};
use crate::report::Reporter;
use crate::session::{Scope, Supervisor, stop_watching_sessions, watch_sessions};

impl EventLoop {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Start { id, run } => self.services.begin(id, run),
            Action::StopService { id, run, until } => {
                let scope = self.services.scope(id);
                self.supervisor.request_stop(scope, run, self.clock.instant(until));
            }
            Action::StopRoot { until } => {
                let edge = self.supervisor.root();
                self.supervisor.request_stop(edge, edge.run_id(), self.clock.instant(until));
            }
            Action::WatchSessions => {
                watch_sessions();
                self.recount_soon();
            }
            Action::UnwatchSessions => stop_watching_sessions(),
            Action::BeginStop => {
                self.drain_stats.open(self.supervisor);
                let deadline = self.state.deadline().expect("a stop has a deadline");
                self.supervisor.begin_draining(self.clock.instant(deadline));
            }
            Action::Abandon(abandoned) => self.abandon(&abandoned),
            Action::CancelSessions { owner } => {
                let scopes = self.supervisor.scopes().into_iter().filter(|scope| scope.owner == owner);
                scopes.for_each(|scope| self.supervisor.abandon_sessions(scope));
            }
            Action::Cancel { id, run } => self.services.abort(id, run),
            Action::DropMain => self.ends.drop_main.cancel(),
            Action::ReturnFromRun => {
                for done in std::mem::take(&mut self.in_run) {
                    let report = self.report();
                    self.supervisor.run_off_control(move || drop(done.send(report)));
                }
            }
            Action::DropState { id } => self.services.drop_state(id, self.state.services()[id.0].run),
            Action::Emit(event) => self.say(event, false),
            Action::Finish => self.over = Some(Over::Finished),
            Action::ForceExit => {
                let left = self.state.left();
                self.close_books(&left);
                self.name_stragglers(&left, true);
                self.over = Some(Over::Forced);
            }
        }
    }

    /// Names them first: once they are dropped there is nothing left to see.
    fn abandon(&mut self, abandoned: &Abandoned) {
        self.close_books(abandoned);
        self.name_stragglers(abandoned, false);
        let is_abandoned = |scope: &&Scope| abandoned.sessions.iter().any(|&(owner, _)| owner == scope.owner);
        let scopes = self.supervisor.scopes().into_iter().filter(is_abandoned);
        scopes.for_each(|scope| self.supervisor.abandon_sessions(scope));
        for &(id, run) in &abandoned.services {
            self.services.abort(id, run);
        }
    }

    /// Before they are named: one that ends meanwhile must not count as drained and abandoned.
    fn close_books(&mut self, abandoned: &Abandoned) {
        let owners: Vec<_> = abandoned.sessions.iter().map(|&(owner, _)| owner).collect();
        self.drain_stats.close(self.supervisor, &owners);
    }

    fn name_stragglers(&mut self, left: &Abandoned, urgent: bool) {
        let now = tokio::time::Instant::now();
        let naming =
            StragglerNaming { supervisor: self.supervisor, watch: &self.watch, now, began: self.clock.began() };
        let stragglers = naming.name(left, |id, run| self.services.run_began(id, run));
        self.drain_stats.enter(stragglers, |event| say(self.supervisor, &self.reporter, event, urgent));
    }

    /// Says an event to those who read the stream, and to the log.
    pub(crate) fn say(&self, event: Event, urgent: bool) {
        say(self.supervisor, &self.reporter, event, urgent);
    }

    /// Says the last line, and waits until all is said. Says whether it is.
    pub(super) fn report_end(&self, urgent: bool, limit: Duration) -> bool {
        if self.drain_stats.untold() > 0 {
            self.say(Event::MoreAbandoned { rows: self.drain_stats.untold() }, urgent);
        }
        self.say(Event::stopped(&self.report()), urgent);
        self.reporter.flush(limit)
    }

    /// Writes the report to stderr past a subscriber that does not take it.
    pub(super) fn write_report(&self) {
        self.reporter.write_past_subscriber(&self.report().to_string());
    }

    /// What the stop has come to so far.
    pub(crate) fn report(&self) -> Report {
        let duration = self.state.stop_requested().map(|requested| self.clock.now().since(requested));
        let services = self.state.services().iter().map(|service| ServiceReport {
            name: service.spec.name.clone(),
            outcome: match service.stage {
                Stage::Over(outcome) => Some(outcome),
                _ => None,
            },
            restarts: service.restarts(),
            last_error: service.last_error.clone(),
        });
        Report {
            cause: self.state.cause().cloned().unwrap_or(Cause::Finished),
            duration: duration.unwrap_or_default(),
            drained: self.drain_stats.drained(self.supervisor),
            cancelled: self.drain_stats.cancelled(self.supervisor),
            failed_sessions: self.supervisor.failed_sessions(),
            stragglers: self.drain_stats.stragglers().to_vec(),
            services: services.collect(),
            exit: self.state.exit(),
        }
    }
}

fn say(supervisor: &Supervisor, reporter: &Reporter, event: Event, urgent: bool) {
    supervisor.publish(&event);
    if urgent {
        reporter.tell_urgently(event);
    } else {
        reporter.tell(event);
    }
}

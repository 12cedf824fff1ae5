//! Doing what the machine decided.

use std::time::Duration;

use super::event_loop::{EventLoop, Over};
use super::exit::write_to_stderr;
use super::ledger::Scene;
use crate::machine::{Abandoned, Action, Cause, Notice, Report, ServiceId, ServiceReport, Stage};
use crate::report::{Event, Teller};
use crate::session::{Scope, Supervisor, stop_watching_sessions, watch_sessions};

impl EventLoop {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Start { id, generation } => self.fleet.begin(id, generation),
            Action::TellService { id, generation, until } => {
                self.fleet.scope(id).tell(generation, self.clock.instant(until));
            }
            Action::TellEdge { until } => {
                let edge = self.supervisor.edge();
                edge.tell(edge.generation(), self.clock.instant(until));
            }
            Action::WatchSessions => {
                watch_sessions();
                self.recount_soon();
            }
            Action::UnwatchSessions => stop_watching_sessions(),
            Action::BeginStop => self.ledger.open(self.supervisor),
            Action::Abandon(abandoned) => self.abandon(&abandoned),
            Action::Cancel { id, generation } => self.fleet.abort(id, generation),
            Action::DropMain => self.ends.drop_main.cancel(),
            Action::ReturnFromRun => {
                for done in std::mem::take(&mut self.in_run) {
                    let _ = done.send(self.report());
                }
            }
            Action::Tell(notice) => self.tell(notice),
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
        let given_up = |scope: &&Scope| abandoned.sessions.iter().any(|&(owner, _)| owner == scope.owner);
        self.supervisor.scopes().into_iter().filter(given_up).for_each(Scope::abandon_sessions);
        for &(id, generation) in &abandoned.services {
            self.fleet.abort(id, generation);
        }
    }

    /// Before they are named: one that ends meanwhile must not count as drained and abandoned.
    fn close_books(&mut self, abandoned: &Abandoned) {
        let owners: Vec<_> = abandoned.sessions.iter().map(|&(owner, _)| owner).collect();
        self.ledger.close(self.supervisor, &owners);
    }

    fn name_stragglers(&mut self, left: &Abandoned, urgent: bool) {
        let now = tokio::time::Instant::now();
        let scene = Scene { supervisor: self.supervisor, watch: &self.watch, now, began: self.clock.began() };
        let stragglers = scene.name(left, |id, generation| self.fleet.life_began(id, generation));
        self.ledger.enter(stragglers, |event| say(self.supervisor, &self.teller, event, urgent));
    }

    fn tell(&self, notice: Notice) {
        let name = |ServiceId(id): ServiceId| self.state.services()[id].spec.name.clone();
        let event = match notice {
            Notice::ServiceStarted { id, generation } => {
                Event::ServiceStarted { service: name(id), life: generation.0 }
            }
            Notice::ServiceReady { id } => Event::ServiceReady { service: name(id) },
            Notice::ServiceTold { id } => Event::ServiceTold { service: name(id) },
            Notice::ServiceEnded { id, ending, restart_in } => {
                Event::ServiceEnded { service: name(id), ending, restart_in }
            }
            Notice::ServiceLost { id } => Event::ServiceLost { service: name(id) },
            Notice::ServiceRefused { id, fault } => Event::ServiceRefused { service: name(id), fault },
            Notice::MainFailed { error } => Event::MainFailed { error },
            Notice::StopRequested { cause, grace } => Event::StopRequested { cause, grace },
            Notice::DuplicateSignal(signal) => Event::DuplicateSignal { signal },
            Notice::Waiting { remaining, services, sessions, main } => {
                let services = services.into_iter().map(name).collect();
                Event::Waiting { remaining, services, sessions, main }
            }
            // Told as the last line, when the data plane is gone too.
            Notice::Finished { .. } => return,
        };
        self.say(event, false);
    }

    /// Says an event to those who read the stream, and to the log.
    pub(crate) fn say(&self, event: Event, urgent: bool) {
        say(self.supervisor, &self.teller, event, urgent);
    }

    /// Says the last line, and waits until all is said. Says whether it is.
    pub(super) fn tell_the_end(&self, urgent: bool, limit: Duration) -> bool {
        if self.ledger.untold() > 0 {
            self.say(Event::MoreAbandoned { rows: self.ledger.untold() }, urgent);
        }
        self.say(Event::stopped(&self.report()), urgent);
        self.teller.flush(limit)
    }

    /// Writes the report to stderr without its lock, which somebody may hold for ever.
    pub(super) fn write_report(&self) {
        let text: String = self.report().to_string().lines().map(|line| format!("canstop: {line}\n")).collect();
        write_to_stderr(text.as_bytes());
    }

    /// What the stop has come to so far.
    pub(crate) fn report(&self) -> Report {
        let duration = self.state.stop_requested().map(|requested| self.clock.now().since(requested));
        let services = self.state.services().iter().map(|service| ServiceReport {
            name: service.spec.name.clone(),
            fate: match service.stage {
                Stage::Over(fate) => Some(fate),
                _ => None,
            },
            restarts: service.generation.0.saturating_sub(1),
            last_error: service.last_error.clone(),
        });
        Report {
            cause: self.state.cause().cloned().unwrap_or(Cause::Finished),
            duration: duration.unwrap_or_default(),
            drained: self.ledger.drained(self.supervisor),
            failed_sessions: self.supervisor.failed_sessions(),
            stragglers: self.ledger.stragglers().to_vec(),
            services: services.collect(),
            exit: self.state.exit(),
        }
    }
}

fn say(supervisor: &Supervisor, teller: &Teller, event: Event, urgent: bool) {
    supervisor.publish(&event);
    if urgent {
        teller.tell_urgently(event);
    } else {
        teller.tell(event);
    }
}

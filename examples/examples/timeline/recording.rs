//! What the events of a stop say about its course.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use canstop::{Event, StragglerKind};

/// A stop, from its request to its end. Times are since the request.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    requested: Option<Instant>,
    pub(crate) cause: String,
    pub(crate) grace: Duration,
    pub(crate) drain_delay: Duration,
    pub(crate) steps: Vec<Step>,
    pub(crate) services: Vec<ServiceBar>,
    /// How many sessions were alive when.
    pub(crate) sessions: Vec<(Duration, u64)>,
    /// What was abandoned when.
    pub(crate) abandoned: Vec<(Duration, String)>,
    pub(crate) ended: Duration,
    pub(crate) last_line: String,
    /// The names of the services that run, with the order in which they became ready.
    ready: BTreeMap<String, usize>,
}

/// A step of the stop. It lasts until the next one begins.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) began: Duration,
    pub(crate) until: Duration,
}

/// A service during the stop.
#[derive(Debug)]
pub(crate) struct ServiceBar {
    pub(crate) name: String,
    pub(crate) stopping: Option<Duration>,
    pub(crate) ended: Option<Duration>,
    pub(crate) abandoned: bool,
}

impl Recording {
    /// Takes note of an event that happened just now.
    pub(crate) fn event(&mut self, event: &Event, now: Instant) {
        if let Event::StopRequested { cause, grace, drain_delay, .. } = event {
            self.requested = Some(now);
            (self.cause, self.grace, self.drain_delay) = (cause.to_string(), *grace, *drain_delay);
            self.request_stop();
        }
        let at = self.requested.map(|requested| now - requested);
        match (event, at) {
            (Event::ServiceReady { service, .. }, None) => {
                let order = self.ready.len();
                self.ready.entry(service.clone()).or_insert(order);
            }
            (Event::ServiceEnded { service, restart_in: None, .. }, None) => drop(self.ready.remove(service)),
            (Event::ServiceStopping { service, .. }, Some(at)) => self.stopping(service, at),
            (Event::ServiceEnded { service, .. }, Some(at)) => {
                if let Some(bar) = self.bar(service) {
                    bar.ended.get_or_insert(at);
                }
            }
            (Event::Abandoned(straggler), Some(at)) => {
                let name = straggler.name.clone().unwrap_or_default();
                if straggler.kind == StragglerKind::Service
                    && let Some(bar) = self.bar(&name)
                {
                    (bar.ended, bar.abandoned) = (Some(at), true);
                }
                self.abandoned.push((at, format!("abandoned: {} x {name}", straggler.count)));
            }
            (Event::Stopped { .. }, Some(at)) => {
                self.ended = at;
                self.last_line = event.to_string();
                self.next_step(None, at);
            }
            _ => {}
        }
    }

    /// Takes note of how many sessions are alive.
    pub(crate) fn sessions(&mut self, alive: u64, now: Instant) {
        if let Some(requested) = self.requested {
            self.sessions.push((now - requested, alive));
        }
    }

    fn request_stop(&mut self) {
        let mut running: Vec<_> = std::mem::take(&mut self.ready).into_iter().collect();
        // Those that started last stop first.
        running.sort_by_key(|&(_, order)| std::cmp::Reverse(order));
        let bar = |(name, _)| ServiceBar { name, stopping: None, ended: None, abandoned: false };
        self.services = running.into_iter().map(bar).collect();
        if !self.drain_delay.is_zero() {
            self.next_step(Some("drain delay".to_owned()), Duration::ZERO);
        }
    }

    fn bar(&mut self, service: &str) -> Option<&mut ServiceBar> {
        self.services.iter_mut().find(|bar| bar.name == service)
    }

    /// A service is asked to stop. If all that were asked before it have ended, that is the next step.
    fn stopping(&mut self, service: &str, at: Duration) {
        let is_first_of_step = self.services.iter().filter(|bar| bar.stopping.is_some()).all(|bar| bar.ended.is_some());
        if let Some(bar) = self.bar(service) {
            bar.stopping = Some(at);
        }
        if is_first_of_step {
            self.next_step(Some(service.to_owned()), at);
        } else if let Some(step) = self.steps.last_mut() {
            step.name = format!("{}, {service}", step.name);
        }
    }

    fn next_step(&mut self, name: Option<String>, at: Duration) {
        if let Some(step) = self.steps.last_mut() {
            step.until = at;
        }
        self.steps.extend(name.map(|name| Step { name, began: at, until: at }));
    }
}

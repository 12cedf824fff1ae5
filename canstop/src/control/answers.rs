//! Answering who asks how the program is.

use std::cmp::Ordering;

use super::event_loop::EventLoop;
use super::operations::Operations;
use super::tick::blocking;
use crate::health::{Format, Page, Question};
use crate::machine::{Phase, Probe, ServiceId, ServiceState, StopStep, judge};
use crate::observe::{Metrics, Moment, Progress, Status, Step};

impl EventLoop {
    /// Lets others read at once how a stop goes, and the rest at the next tick.
    pub(super) fn publish_stop(&self) {
        if self.state.phase().is_stopping() {
            self.publish_numbers();
        }
    }

    /// Lets others read how the program is, but for its phase, which each step publishes.
    pub(super) fn publish_numbers(&self) {
        let now = self.clock.now();
        let stop = self.state.stop_requested().zip(self.state.deadline());
        let stop = stop.map(|(requested, ends)| (self.clock.instant(requested), self.clock.instant(ends)));
        let stragglers = self.drain_stats.stragglers();
        let abandoned = stragglers.iter().map(|straggler| straggler.count).sum();
        let Operations { stall, .. } = &self.operations;
        let stalled_for = self.operations.stalled_for(now);
        let ready = judge(Probe::Ready, &self.state, stalled_for, *stall, now).is_ok();
        let mut numbers = self.supervisor.numbers();
        numbers.ready = ready;
        numbers.blocked_threads = self.operations.blocked.count();
        numbers.stall = stalled_for;
        numbers.stop = stop;
        numbers.abandoned = abandoned;
    }

    /// Answers a probe.
    pub(super) fn answer(&self, question: Question) {
        match question {
            Question::Probe(probe, answer) => {
                let (now, Operations { stall, .. }) = (self.clock.now(), &self.operations);
                let _ = answer.send(judge(probe, &self.state, self.operations.stalled_for(now), *stall, now));
            }
            Question::Page(page, answer) => drop(answer.send(self.page(page))),
        }
    }

    /// A page, if it is offered.
    fn page(&self, page: Page) -> Option<(&'static str, String)> {
        self.publish_numbers();
        match page {
            Page::Status(format) if self.operations.status => {
                let (status, moment) = (Status::of(self.supervisor), self.moment());
                Some(match format {
                    Format::Text => ("text/plain; charset=utf-8", status.to_text(&moment)),
                    Format::Json => ("application/json", status.to_json(&moment)),
                    Format::Html => ("text/html; charset=utf-8", status.to_html(&moment)),
                })
            }
            Page::Metrics if self.operations.metrics => {
                Some(("text/plain; version=0.0.4; charset=utf-8", Metrics::of(self.supervisor).to_string()))
            }
            Page::Probe(_) | Page::Status(_) | Page::Metrics => None,
        }
    }

    /// What a status page shows beside the status.
    fn moment(&self) -> Moment {
        let (now, phase) = (self.clock.now(), self.state.phase());
        let name = |&ServiceId(id): &ServiceId| self.state.services().get(id).map(|service| service.spec.name.clone());
        let step = |StopStep { phase: of_step, services, ends }: StopStep| Step {
            name: match of_step {
                Phase::Stopping(_) if !services.is_empty() => {
                    some(services.iter().filter_map(name).collect()).join(", ")
                }
                phase => phase.step_name().to_owned(),
            },
            progress: match of_step.cmp(&phase) {
                Ordering::Less => Progress::Done,
                Ordering::Equal => Progress::Current,
                Ordering::Greater => Progress::Next,
            },
            left: ends.since(now),
        };
        let mut waiting_for = Vec::new();
        // During the drain delay everything serves, and nothing is waited for.
        if phase > Phase::DrainDelay {
            let left = self.state.left();
            let is_stopping = |&&(id, _): &&(ServiceId, _)| {
                self.state.services().get(id.0).is_some_and(|service| service.state() == ServiceState::Stopping)
            };
            let services = left.services.iter().filter(is_stopping).filter_map(|(id, _)| name(id));
            waiting_for.extend(left.main.then(|| "main".to_owned()));
            waiting_for.extend(some(services.map(|name| format!("service `{name}`")).collect()));
            let sessions: u64 = left.sessions.iter().map(|(_, alive)| alive).sum();
            waiting_for.extend((sessions > 0).then(|| format!("{sessions} sessions")));
        }
        Moment {
            numbers: self.supervisor.numbers().clone(),
            steps: self.state.stop_steps().into_iter().map(step).collect(),
            waiting_for,
            blocking: blocking(now, &self.held_threads()),
        }
    }

    /// Answers probes until the process is gone, or runs another program, once all else is done.
    pub(super) async fn answer_to_the_end(&mut self) {
        while let Some(question) = self.operations.question_while_served().await {
            self.answer(question);
        }
    }
}

/// The first few names, and how many more there are.
fn some(mut names: Vec<String>) -> Vec<String> {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    names.extend((more > 0).then(|| format!("{more} more")));
    names
}

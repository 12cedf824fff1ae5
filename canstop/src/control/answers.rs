//! Answering who asks how the program is.

use super::event_loop::EventLoop;
use super::operations::Operations;
use crate::health::{Format, Page, Question};
use crate::machine::judge;
use crate::observe::{Metrics, Status};

impl EventLoop {
    /// Lets others read at once that a stop was requested, and the rest at the next tick.
    pub(super) fn publish_phase(&self) {
        if self.state.phase().is_stopping() {
            self.publish_numbers();
        }
    }

    /// Lets others read how the program is.
    pub(super) fn publish_numbers(&self) {
        let now = self.clock.now();
        let stop = self.state.stop_requested().zip(self.state.deadline());
        let stop = stop.map(|(requested, ends)| (self.clock.instant(requested), self.clock.instant(ends)));
        let stragglers = self.drain_stats.stragglers();
        let abandoned = stragglers.iter().map(|straggler| straggler.count).sum();
        let ready = self.state.readiness(now).is_ok();
        let mut numbers = self.supervisor.numbers();
        numbers.phase = self.state.phase();
        numbers.ready = ready;
        numbers.blocked_threads = self.operations.blocked.count();
        numbers.stall = self.operations.stalled_for(now);
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
        let numbers = self.supervisor.numbers().clone();
        match page {
            Page::Status(format) if self.operations.status => {
                let status = Status::of(self.supervisor);
                Some(match format {
                    Format::Text => ("text/plain; charset=utf-8", format!("{status}\n")),
                    Format::Json => ("application/json", status.to_json(&numbers)),
                    Format::Html => ("text/html; charset=utf-8", status.to_html(&numbers)),
                })
            }
            Page::Metrics if self.operations.metrics => {
                Some(("text/plain; version=0.0.4; charset=utf-8", Metrics::of(self.supervisor).to_string()))
            }
            Page::Probe(_) | Page::Status(_) | Page::Metrics => None,
        }
    }

    /// Answers probes until the process is gone, or runs another program, once all else is done.
    pub(super) async fn answer_to_the_end(&mut self) {
        while let Some(question) = self.operations.question_while_served().await {
            self.answer(question);
        }
    }
}

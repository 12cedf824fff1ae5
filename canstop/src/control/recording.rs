//! Recording the program's numbers with the `metrics` facade.

use std::time::Duration;

use crate::machine::Time;
use crate::observe::Facade;
use crate::report::ReportThread;
use crate::session::Supervisor;

/// How often they are recorded.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Recording {
    facade: Facade,
    report_thread: ReportThread,
    last: Option<Time>,
}

impl Recording {
    pub(super) fn start(supervisor: &'static Supervisor, report_thread: ReportThread) -> Self {
        Self { facade: Facade::start(supervisor, &report_thread), report_thread, last: None }
    }

    /// Records the numbers if that is due.
    pub(super) fn look(&mut self, now: Time) {
        if self.last.is_none_or(|last| now.since(last) >= EVERY) {
            self.last = Some(now);
            self.facade.ask(&self.report_thread);
        }
    }
}

//! What is worth a line on stderr.

use tracing::Level;

use crate::machine::{Cause, Event};
use crate::settings::LogLevel;

/// Keeps a program that ends well silent, if it is a one-shot program: one without services.
///
/// What it would say of its end is held back until something is wrong, and then comes before that.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// What `CANSTOP_LOG` asks for.
    log: LogLevel,
    has_services: bool,
    /// The lines of a one-shot program's end so far.
    held_back: Vec<String>,
    /// It ends because it has finished, and not because it was asked to.
    has_finished: bool,
}

impl Quiet {
    pub(super) fn new(log: LogLevel) -> Self {
        Self { log, ..Self::default() }
    }

    fn admits(&self, level: Level) -> bool {
        let most = match self.log {
            LogLevel::Off => return false,
            LogLevel::Error => Level::ERROR,
            LogLevel::Warn => Level::WARN,
            LogLevel::Info => Level::INFO,
            LogLevel::Debug => Level::DEBUG,
        };
        level <= most
    }

    /// The lines to write now that this has happened.
    pub(super) fn lines(&mut self, event: &Event) -> Vec<String> {
        self.has_services |= event.service().is_some();
        self.has_finished |= matches!(event, Event::StopRequested { cause: Cause::Finished, .. });
        let level = event.level();
        if !self.admits(level) {
            return Vec::new();
        }
        let line = format!("canstop: {event}\n");
        if level == Level::INFO && self.has_finished && !self.has_services {
            self.held_back.push(line);
            return Vec::new();
        }
        let mut lines = std::mem::take(&mut self.held_back);
        lines.push(line);
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::machine::{Exit, SettingSource, Signal};

    const TIME: Duration = Duration::from_secs(1);

    fn stop_requested(cause: Cause) -> Event {
        Event::StopRequested {
            cause,
            grace: TIME,
            grace_source: SettingSource::Default,
            drain_delay: Duration::ZERO,
            drain_delay_source: SettingSource::Default,
        }
    }

    fn stopped(cause: Cause, exit: Exit) -> Event {
        Event::Stopped { cause, duration: TIME, drained: 0, cancelled: 0, abandoned: 0, exit }
    }

    #[test]
    fn the_log_level_says_what_is_worth_a_line() {
        let started = Event::ServiceStarted { service: "http".to_owned(), run: 1 };
        let duplicate = Event::DuplicateSignal { signal: Signal::Terminate };
        let stopping = stop_requested(Cause::Signal(Signal::Terminate));
        let abandoned = Event::MoreAbandoned { rows: 1 };
        for (log, admitted) in
            [(LogLevel::Off, 0), (LogLevel::Error, 1), (LogLevel::Warn, 2), (LogLevel::Info, 3), (LogLevel::Debug, 4)]
        {
            let mut quiet = Quiet::new(log);
            let lines = [&started, &stopping, &duplicate, &abandoned].map(|event| quiet.lines(event).len());
            assert_eq!(lines.iter().sum::<usize>(), admitted, "{log:?}");
        }
    }

    #[test]
    fn a_job_that_ends_well_is_silent() {
        let mut quiet = Quiet::default();
        assert!(quiet.lines(&stop_requested(Cause::Finished)).is_empty());
        assert!(quiet.lines(&stopped(Cause::Finished, Exit::Clean)).is_empty());
    }

    #[test]
    fn a_job_that_ends_badly_reports_its_whole_end() {
        let mut quiet = Quiet::default();
        assert!(quiet.lines(&stop_requested(Cause::Finished)).is_empty());
        let lines = quiet.lines(&Event::MoreAbandoned { rows: 1 });
        assert!(lines.len() == 2 && lines[0].starts_with("canstop: stopping (finished)"), "{lines:?}");
        assert_eq!(quiet.lines(&stopped(Cause::Finished, Exit::Abandoned)).len(), 1);
    }

    #[test]
    fn a_job_that_is_interrupted_reports_its_end() {
        let mut quiet = Quiet::default();
        let cause = Cause::Signal(Signal::Terminate);
        assert_eq!(quiet.lines(&stop_requested(cause.clone())).len(), 1);
        assert_eq!(quiet.lines(&stopped(cause, Exit::Clean)).len(), 1);
    }

    #[test]
    fn a_program_with_services_reports_its_end() {
        let mut quiet = Quiet::default();
        assert!(quiet.lines(&Event::ServiceReady { service: "http".to_owned() }).is_empty());
        assert_eq!(quiet.lines(&stop_requested(Cause::Finished)).len(), 1);
        assert_eq!(quiet.lines(&stopped(Cause::Finished, Exit::Clean)).len(), 1);
    }
}

//! The report as people read it.

use std::fmt;
use std::time::Duration;

use crate::machine::{Activity, Event, Report, Straggler, StragglerKind};
use crate::settings::Plain;

/// The most stragglers that get a line of their own: a report of thousands would take longer than its time.
pub(crate) const ROWS: usize = 20;

/// Counts the rows, of this many, that have no line of their own.
pub(crate) fn rows_without_line(rows: usize) -> Option<Event> {
    (rows > ROWS).then(|| Event::MoreAbandoned { rows: rows - ROWS })
}

/// Names at most 20 stragglers, and counts the others.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for straggler in self.stragglers.iter().take(ROWS) {
            writeln!(f, "abandoned: {straggler}")?;
        }
        if let Some(more) = rows_without_line(self.stragglers.len()) {
            writeln!(f, "{more}")?;
        }
        Event::stopped(self).fmt(f)
    }
}

impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count > 1 {
            write!(f, "{} x ", self.count)?;
        }
        if let (StragglerKind::Request, Some(name)) = (self.kind, &self.name) {
            f.write_str(name)?;
            if let Some(owner) = &self.owner {
                write!(f, " of service `{owner}`")?;
            }
            return self.display_end(f);
        }
        self.kind.fmt(f)?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        if let Some(label) = &self.label {
            write!(f, " [{label}]")?;
        }
        if let Some(location) = &self.location {
            write!(f, " at {location}")?;
        }
        if let Some(function) = self.function.as_deref().filter(|function| !function.is_empty()) {
            write!(f, " in {function}")?;
        }
        if let Some(owner) = &self.owner {
            write!(f, " of service `{owner}`")?;
        }
        self.display_end(f)
    }
}

impl Straggler {
    fn display_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let oldest = if self.count > 1 { "oldest" } else { "age" };
        if let Some(age) = self.oldest {
            write!(f, ", {oldest} {}", Rounded(age))?;
        }
        write!(f, ", {}", self.activity)
    }
}

impl fmt::Display for StragglerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StragglerKind::Main => "body of main",
            StragglerKind::Service => "service",
            StragglerKind::Session => "session",
            StragglerKind::Blocking => "blocking session",
            StragglerKind::Flush => "flush hook",
            StragglerKind::Request => "request",
        })
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Activity::Waiting => f.write_str("waiting"),
            Activity::Blocking { since } => write!(f, "blocking a thread for {}", Rounded(*since)),
            Activity::Queued => f.write_str("queued: no thread was free to poll it"),
        }
    }
}

/// A duration to three digits, which is as many as anybody reads at night.
pub(crate) struct Rounded(pub(crate) Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        if seconds < 1.0 {
            write!(f, "{:.0} ms", seconds * 1_000.0)
        } else if seconds < 100.0 {
            write!(f, "{seconds:.1} s")
        } else {
            write!(f, "{seconds:.0} s")
        }
    }
}

/// A limit of ten years or more is none: that of `Duration::MAX`, for example.
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// The grace of a stop, as the first line of it says it.
pub(super) struct Within(pub(super) Duration);

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < NO_LIMIT { write!(f, "within {}", Plain(self.0)) } else { f.write_str("without a limit") }
    }
}

/// The time that is left, after a comma. Nothing where there is no limit.
pub(crate) struct Left(pub(crate) Duration);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < NO_LIMIT { write!(f, ", {} left", Rounded(self.0)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Cause, Exit};

    #[test]
    fn a_time_without_a_limit_has_no_figure() {
        assert_eq!(Within(Duration::from_secs(5)).to_string(), "within 5 s");
        assert_eq!(Within(Duration::MAX).to_string(), "without a limit");
        assert_eq!(Left(Duration::from_millis(4_200)).to_string(), ", 4.2 s left");
        assert_eq!(Left(Duration::MAX - Duration::from_secs(60)).to_string(), "");
    }

    #[test]
    fn a_report_of_thousands_has_twenty_rows_and_a_count() {
        let straggler = Straggler {
            kind: StragglerKind::Service,
            name: Some("deaf".to_owned()),
            location: None,
            function: None,
            label: None,
            owner: None,
            count: 1,
            oldest: None,
            activity: Activity::Waiting,
        };
        let report = Report {
            cause: Cause::Finished,
            duration: Duration::ZERO,
            drained: 0,
            cancelled: 0,
            failed_sessions: 0,
            stragglers: vec![straggler; 10_000],
            services: Vec::new(),
            ended_children: 0,
            exit: Exit::Abandoned,
        };
        let text = report.to_string();
        assert_eq!(text.matches("abandoned: service `deaf`, waiting\n").count(), ROWS, "{text}");
        assert!(text.contains("abandoned: and 9980 more rows\n"), "{text}");
        assert!(text.ends_with("10000 abandoned, exit code 124"), "{text}");
    }
}

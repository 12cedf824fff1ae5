//! The report as people read it.

use std::fmt;
use std::time::Duration;

use crate::machine::{Activity, Event, Report, Straggler, StragglerKind};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for straggler in &self.stragglers {
            writeln!(f, "abandoned: {straggler}")?;
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
        if let Some(function) = &self.function {
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

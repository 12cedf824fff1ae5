//! The exit code.

use std::fmt;
use std::process::ExitCode;

use super::cause::Signal;

/// How the program ends. The graver of two wins.
///
/// ```
/// use canstop::Exit;
///
/// assert!(Exit::Clean < Exit::Failed && Exit::Failed < Exit::Abandoned);
/// assert_eq!(Exit::Abandoned.code(), 124);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Exit {
    /// Everything was drained: 0.
    Clean,
    /// A job, a program without services, was ended by a signal: 128 and the signal's number.
    Interrupted(Signal),
    /// A service or `main` failed, or the start did: 1.
    Failed,
    /// Something was still there when its time was up: 124, as `timeout(1)` has it.
    Abandoned,
    /// A second signal ended it at once: 128 and the signal's number, as a shell has it.
    Forced(Signal),
}

impl Exit {
    /// The code that the process exits with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Failed => 1,
            Exit::Abandoned => 124,
            Exit::Interrupted(signal) | Exit::Forced(signal) => 128 + signal.number(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Clean => f.write_str("clean"),
            Exit::Interrupted(signal) => write!(f, "interrupted by {signal}"),
            Exit::Failed => f.write_str("failed"),
            Exit::Abandoned => f.write_str("abandoned"),
            Exit::Forced(signal) => write!(f, "forced by {signal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_has_its_code_and_text() {
        let exits = [
            (Exit::Clean, 0, "clean"),
            (Exit::Interrupted(Signal::Interrupt), 130, "interrupted by SIGINT"),
            (Exit::Failed, 1, "failed"),
            (Exit::Abandoned, 124, "abandoned"),
            (Exit::Forced(Signal::Terminate), 143, "forced by SIGTERM"),
        ];
        for (exit, code, text) in exits {
            assert_eq!((exit.code(), exit.to_string().as_str()), (code, text));
            // `ExitCode` cannot be compared.
            assert_eq!(format!("{:?}", ExitCode::from(exit)), format!("{:?}", ExitCode::from(code)));
        }
    }
}

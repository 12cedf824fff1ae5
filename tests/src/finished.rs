//! The exit code and output of a probe.

use std::fmt;
use std::time::Duration;

use crate::Took;

/// A probe that has ended. Every assertion that fails prints all of its output.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal killed it.
    pub code: Option<i32>,
    /// The lines of stdout.
    pub stdout: Vec<String>,
    /// The lines of stderr.
    pub stderr: Vec<String>,
    /// From the first signal that the test sent to the end of the process.
    pub after_signal: Option<Took>,
}

impl Finished {
    /// Asserts that it exited with this code.
    #[track_caller]
    pub fn exited(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "exit code\n{self}");
        self
    }

    /// Asserts that it ended at most this long after the first signal. What a busy machine added is not its fault.
    #[track_caller]
    pub fn within(&self, limit: Duration) -> &Self {
        let took = self.after_signal.expect("the test has sent a signal");
        assert!(took.at_most(limit), "{took:?}, of {limit:?}\n{self}");
        self
    }

    /// From the first signal to the end.
    #[track_caller]
    #[must_use]
    pub fn after_signal(&self) -> Duration {
        self.after_signal.expect("the test has sent a signal").whole
    }

    /// Asserts that it printed exactly this line.
    #[track_caller]
    pub fn printed(&self, line: &str) -> &Self {
        assert!(self.times_printed(line) > 0, "it never printed {line:?}\n{self}");
        self
    }

    /// Asserts that it never printed this line.
    #[track_caller]
    pub fn never_printed(&self, line: &str) -> &Self {
        assert!(self.times_printed(line) == 0, "it printed {line:?}\n{self}");
        self
    }

    /// How often it printed this line.
    #[must_use]
    pub fn times_printed(&self, line: &str) -> usize {
        self.stdout.iter().filter(|printed| *printed == line).count()
    }

    /// The rest of each line of stdout that begins with these words.
    pub fn printed_after<'a>(&'a self, words: &'a str) -> impl Iterator<Item = &'a str> {
        self.stdout.iter().filter_map(move |line| Some(line.split_once(words)?.1))
    }

    /// Asserts that it printed these lines in this order, with any lines between them.
    #[track_caller]
    pub fn printed_in_order(&self, lines: &[&str]) -> &Self {
        let mut printed = self.stdout.iter();
        for line in lines {
            assert!(printed.any(|printed| printed == line), "it did not print {line:?} in its order\n{self}");
        }
        self
    }

    /// The line of stderr that contains all of these parts. Asserts that there is one.
    #[track_caller]
    pub fn logged(&self, parts: &[&str]) -> &str {
        let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
        match self.stderr.iter().find(has_all) {
            Some(line) => line,
            None => panic!("no line of stderr contains {parts:?}\n{self}"),
        }
    }

    /// How many lines of stderr contain this part.
    #[must_use]
    pub fn times_logged(&self, part: &str) -> usize {
        self.stderr.iter().filter(|line| line.contains(part)).count()
    }

    /// Asserts that the last line of stderr, which is canstop's, contains all of these parts.
    #[track_caller]
    pub fn ended_with(&self, parts: &[&str]) -> &Self {
        let last = self.stderr.last().map_or("", String::as_str);
        assert!(last.starts_with("canstop: stopped ("), "the last line is not the last line\n{self}");
        for part in parts {
            assert!(last.contains(part), "the last line has no {part:?}\n{self}");
        }
        self
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code {:?}, {:?} after the signal", self.code, self.after_signal)?;
        write!(f, "--- stdout\n{}\n--- stderr\n{}", self.stdout.join("\n"), self.stderr.join("\n"))
    }
}

//! Probes, and how to run them.
//!
//! A probe is a small program in `src/bin`, written as a user would write it. A test in `tests` starts one, waits
//! for a line of its output, signals it by its pid, and checks its exit code, its output and how long it took.
//! Nothing here waits for time to pass: the limit of twenty seconds only ends a test that would hang.
#![cfg(unix)]

pub mod client;
mod finished;
pub mod http;
pub mod linked;
pub mod load;
mod orders;
mod probe;
pub mod shared;
mod stopwatch;

pub use finished::Finished;
pub use orders::{Orders, orders, until};
pub use probe::{Audience, Probe, READY, Signal};
pub use stopwatch::{Stopwatch, Took};

/// The scenario that a probe runs: its first argument.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn scenario() -> String {
    std::env::args().nth(1).expect("the first argument of a probe names its scenario")
}

/// The place of a text in the source of a probe, as `file:line`, the way canstop reports places.
///
/// # Panics
///
/// If the source does not contain the text, or contains it on two lines.
#[must_use]
pub fn place_of(probe: &str, text: &str) -> String {
    format!("tests/src/bin/{probe}.rs:{}", line_of(probe, text))
}

fn line_of(probe: &str, text: &str) -> usize {
    let path = format!("{}/src/bin/{probe}.rs", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
    let mut lines = source.lines().enumerate().filter(|(_, line)| line.contains(text));
    let (index, _) = lines.next().unwrap_or_else(|| panic!("{path} has no line with {text:?}"));
    assert!(lines.next().is_none(), "{path} has more than one line with {text:?}");
    index + 1
}

/// The duration that follows a word in a line, in seconds: 1.2 for `"age"` in `"age 1.2 s, waiting"`.
///
/// # Panics
///
/// If no duration follows it.
#[must_use]
pub fn seconds_after(word: &str, line: &str) -> f64 {
    let duration = || {
        let mut words = line.split_once(word)?.1.split([' ', ',', ':']).filter(|word| !word.is_empty());
        let number: f64 = words.next()?.parse().ok()?;
        match words.next()? {
            "ms" => Some(number / 1_000.0),
            "s" => Some(number),
            _ => None,
        }
    };
    duration().unwrap_or_else(|| panic!("no duration after {word:?} in {line:?}"))
}

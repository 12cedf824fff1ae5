//! Probes, and how to question them.
//!
//! A probe is a small program in `src/bin`, written as a user would write it. A test in `tests`
//! starts one, waits for a line of its output, signals it by its pid, and judges its exit code, what
//! it said and how long it took. Nothing here waits for time to pass: the twenty seconds that a probe
//! has are only the end of a test that would hang.
#![cfg(unix)]

mod finished;
pub mod http;
pub mod linked;
mod probe;

pub use finished::Finished;
pub use probe::{Audience, Probe, READY, Signal};

/// What a probe was asked to do: its first argument.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn scenario() -> String {
    std::env::args().nth(1).expect("a probe is told by its first argument what to do")
}

/// Where a text stands in the source of a probe, as `file:line`, the way canstop names places.
///
/// # Panics
///
/// If the source has no such text, or has it in two lines.
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

/// The duration that follows a word in a line, in seconds: of `"age 1.2 s, waiting"` after `"age"`,
/// 1.2.
///
/// # Panics
///
/// If none follows it.
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

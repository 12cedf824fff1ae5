//! Probes, and how to question them.
//!
//! A probe is a small program in `src/bin`, written as a user would write it. A test in `tests`
//! starts one, waits for a line of its output, signals it by its pid, and judges its exit code, what
//! it said and how long it took. Nothing here waits for time to pass: the twenty seconds that a probe
//! has are only the end of a test that would hang.
#![cfg(unix)]

mod finished;
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
    let path = format!("{}/src/bin/{probe}.rs", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
    let mut lines = source.lines().enumerate().filter(|(_, line)| line.contains(text));
    let (index, _) = lines.next().unwrap_or_else(|| panic!("{path} has no line with {text:?}"));
    assert!(lines.next().is_none(), "{path} has more than one line with {text:?}");
    format!("tests/src/bin/{probe}.rs:{}", index + 1)
}

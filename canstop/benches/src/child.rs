//! Parts of a benchmark that run in a process of their own.

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use crate::arguments::PART;

/// This program, which runs again for a part.
pub(crate) fn program() -> PathBuf {
    env::current_exe().expect("this program has a path")
}

fn command_of_part(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg(PART).args(arguments);
    command
}

/// Starts a part whose input and output are pipes.
///
/// # Panics
///
/// If it cannot be started.
pub fn start(arguments: &[&str]) -> Child {
    let mut part = command_of_part(arguments);
    part.stdin(Stdio::piped()).stdout(Stdio::piped());
    part.spawn().unwrap_or_else(|error| panic!("cannot start {part:?}: {error}"))
}

/// Runs a part, and returns the figures that it printed.
///
/// # Panics
///
/// If it fails, with its output, or prints anything else.
pub fn figures<const FIGURES: usize>(arguments: &[&str]) -> [f64; FIGURES] {
    let mut part = command_of_part(arguments);
    let output = output(&mut part);
    let printed = String::from_utf8_lossy(&output.stdout);
    let figures: Option<Vec<f64>> = printed.split_whitespace().map(|figure| figure.parse().ok()).collect();
    let figures = figures.and_then(|figures| figures.try_into().ok());
    figures.unwrap_or_else(|| panic!("{part:?} did not print {FIGURES} figures:\n{printed}"))
}

pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed with {}:\n{said}", output.status);
    output
}

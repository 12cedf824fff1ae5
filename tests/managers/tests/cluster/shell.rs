//! Commands of the system.

use std::process::{Command, Stdio};

/// Runs a program to its end, with words that have no spaces.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &str) {
    let status = Command::new(program).args(arguments.split(' ')).stdin(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{program} {arguments}");
}

/// Runs a command to its end, and returns what it writes.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().expect("it is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

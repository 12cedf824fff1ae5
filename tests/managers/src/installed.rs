//! Which managers are there.

use std::env;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// `required`: a manager that is missing is a failure. `all`: so are podman and Docker, which are skipped otherwise.
const VARIABLE: &str = "CANSTOP_MANAGERS";
/// Where Debian has a manager's program that is not in an ordinary user's `PATH`.
const SYSTEM: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// Returns true if these programs are installed. Otherwise it says which package has them.
///
/// # Panics
///
/// If one is missing and `CANSTOP_MANAGERS` is `required` or `all`, or has another value.
#[must_use]
pub fn is_installed(package: &str, programs: &[&str]) -> bool {
    let Some(missing) = programs.iter().find(|program| find(program).is_none()) else { return true };
    refuse(&format!("{missing} is not installed (apt-get install {package})"))
}

/// Says that a manager cannot run here, and why. Returns false.
///
/// # Panics
///
/// As [`is_installed`].
#[must_use]
pub fn refuse(why: &str) -> bool {
    assert!(!is_required(), "{VARIABLE} requires it, and {why}");
    skip(why);
    false
}

/// Returns true if the tests that need more than the usual packages are to run. Otherwise it says how to run them.
///
/// # Panics
///
/// If `CANSTOP_MANAGERS` has an unknown value.
#[must_use]
pub fn runs_all() -> bool {
    let all = variable().as_deref() == Some("all");
    if !all {
        skip(&format!("it needs more than the usual packages; to run it, {VARIABLE}=all"));
    }
    all
}

/// A command of an installed program.
#[must_use]
pub fn command(program: &str) -> Command {
    Command::new(find(program).unwrap_or_else(|| program.into()))
}

/// A line that the test harness does not capture.
fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

fn is_required() -> bool {
    variable().is_some()
}

fn variable() -> Option<String> {
    let value = env::var(VARIABLE).ok().filter(|value| !value.is_empty())?;
    let is_known = value == "required" || value == "all";
    assert!(is_known, "{VARIABLE}={value} is not known; write required or all");
    Some(value)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|path| path.exists())
}

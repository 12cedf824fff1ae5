//! Which managers are there.

use std::env;
use std::io::Write as _;
use std::path::Path;

/// `required`: a manager that is missing is a failure. `all`: the tests that take minutes run too.
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
    let Some(missing) = programs.iter().find(|program| !is_there(program)) else { return true };
    let hint = format!("{missing} is not installed (apt-get install {package})");
    assert!(!is_required(), "{VARIABLE} requires it, and {hint}");
    skip(&hint);
    false
}

/// Returns true if the tests that take minutes are to run. Otherwise it says how to run them.
///
/// # Panics
///
/// If `CANSTOP_MANAGERS` has an unknown value.
#[must_use]
pub fn runs_all() -> bool {
    let all = variable().as_deref() == Some("all");
    if !all {
        skip(&format!("it takes long; to run it, {VARIABLE}=all"));
    }
    all
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

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM.iter().map(|folder| Path::new(folder).to_owned()));
    folders.into_iter().any(|folder| folder.join(program).exists())
}

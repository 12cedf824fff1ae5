//! Values that outlive the last line.

use crate::session::expect_scope;

/// Keeps a value until the program has stopped and the last line of its report is in the log; then it is
/// dropped, before the process exits.
///
/// This is for what the report itself needs, such as the guard of a log that writes in the background.
/// A local of `main` is kept until then only where `main` neither calls [`run()`](crate::run) nor returns an error.
/// Values are dropped in the reverse order, on a thread of their own, and have a second together, or what
/// is left of the grace. A second stop signal, which ends the program at once, does not wait for them.
///
/// ```
/// # struct Guard;
/// # fn start_log() -> Guard { Guard }
/// # async fn example() {
/// canstop::keep(start_log());
/// # }
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[track_caller]
pub fn keep(value: impl Send + 'static) {
    expect_scope("`canstop::keep`").hub.keep(Box::new(value));
}

//! How something ended that was dropped before it returned.

use crate::failure::current_panic;
use crate::machine::ExitReason;

/// By a panic, its own or one of its destructors, or quietly.
pub(crate) fn reason_of_dropped() -> ExitReason {
    if std::thread::panicking() { ExitReason::Panicked(current_panic()) } else { ExitReason::Dropped }
}

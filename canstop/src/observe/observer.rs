//! Callbacks that get every event.

use crate::machine::Event;
use crate::session::expect_scope;

/// Calls `observer` with every event from now on, up to and including [`Event::Stopped`].
///
/// It runs on canstop's report thread, after the event's log line, one event after the other, and never delays a
/// stop. A callback that is too slow for a flood of events misses some of them, and gets [`Event::Missed`] instead.
/// A callback that panics is reported and not called again.
///
/// ```
/// # async fn example() {
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use canstop::Event;
///
/// static RESTARTS: AtomicU64 = AtomicU64::new(0);
///
/// canstop::observe(|event| {
///     if let Event::ServiceEnded { restart_in: Some(_), .. } = event {
///         RESTARTS.fetch_add(1, Ordering::Relaxed);
///     }
/// });
/// # }
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[track_caller]
pub fn observe(observer: impl FnMut(&Event) + Send + 'static) {
    expect_scope("`canstop::observe`").hub.observe(observer);
}

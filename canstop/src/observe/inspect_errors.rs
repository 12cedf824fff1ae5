//! Callbacks that get the errors of services and sessions as values.

use std::sync::Arc;

use crate::session::{ReturnedError, expect_scope};

/// Calls `inspector` with every error that a service or a session returns from now on, while it is still a value.
///
/// Events, the report and the log have the error's text. This is for what needs its type: a number for each kind of
/// failure, say. An error of `main` is not among them, because `main` has it in its own hands.
///
/// It runs on the thread and in the time of the service or session that has failed, before that has ended, and
/// possibly on several threads at once: an error never outlives its owner, and its destructor runs where it would
/// run without an inspector. If it panics, the text of the failure says so.
///
/// ```
/// use std::io;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use canstop::{Lifecycle, Service};
///
/// static TIMED_OUT: AtomicU64 = AtomicU64::new(0);
///
/// async fn poll_queue(_lifecycle: Lifecycle) -> anyhow::Result<()> {
///     Err(io::Error::from(io::ErrorKind::TimedOut).into())
/// }
///
/// canstop::testing::Harness::new().run(async |mut sup| {
///     canstop::inspect_errors(|error| {
///         let error = error.downcast_ref::<anyhow::Error>().and_then(|error| error.downcast_ref::<io::Error>());
///         if error.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
///             TIMED_OUT.fetch_add(1, Ordering::Relaxed);
///         }
///     });
///     sup.start(Service::new("queue", poll_queue).optional().limit(1, std::time::Duration::from_secs(60)));
///     assert!(sup.stop().await.is_clean());
///     assert!(TIMED_OUT.load(Ordering::Relaxed) > 0);
/// });
/// ```
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[track_caller]
pub fn inspect_errors(inspector: impl Fn(&ReturnedError<'_>) + Send + Sync + 'static) {
    expect_scope("`canstop::inspect_errors`").hub.inspect_errors(Arc::new(inspector));
}

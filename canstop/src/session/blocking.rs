//! A session on the blocking pool.

use tokio::task::JoinHandle;

use super::counter::Kind;
use super::membership::Membership;
use super::output::OutputObserver;
use super::scope::expect_scope;
use super::site::Site;
use super::thread::this_thread;
use crate::machine::ExitReason;

/// Runs a closure on the blocking pool, as a session.
///
/// It cannot be dropped once it runs: one that does not end is named, and left behind.
///
/// # Panics
///
/// Outside a supervisor.
#[track_caller]
pub(super) fn spawn_blocking_session<F, T, O>(site: &'static Site, closure: F, observer: O) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
    O: OutputObserver<T> + Send + 'static,
{
    let scope = expect_scope("`spawn_blocking_session!`");
    let membership = Membership::begin(site, scope, Kind::Blocking);
    tokio::task::spawn_blocking(move || {
        // Dropped in reverse order: the thread is free before the session is finished.
        let membership = membership;
        let _polling = membership.poll(this_thread(), std::ptr::null());
        let output = closure();
        if let Some(error) = observer.error(&output) {
            membership.report(ExitReason::Failed(error));
        }
        output
    })
}

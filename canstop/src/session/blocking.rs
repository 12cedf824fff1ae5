//! A session on the blocking pool.

use tokio::task::JoinHandle;

use super::counter::Kind;
use super::membership::Membership;
use super::output::OutputObserver;
use super::scope::expect_scope;
use super::site::Site;
use super::thread::{self, this_thread};
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
    let membership = thread::visit(|_| Membership::begin(site, scope, Kind::Blocking));
    let session = BlockingSession { closure, observer, membership };
    tokio::task::spawn_blocking(move || session.run())
}

/// A closure and its membership, dropped in this order: an aborted session that never ran is alive until
/// the last of its captures is gone.
pub(super) struct BlockingSession<F, O> {
    pub(super) closure: F,
    pub(super) observer: O,
    pub(super) membership: Membership,
}

impl<F, O> BlockingSession<F, O> {
    pub(super) fn run<T>(self) -> T
    where
        F: FnOnce() -> T,
        O: OutputObserver<T>,
    {
        // Dropped in reverse order: the thread is free before the session has ended.
        let Self { closure, observer, membership } = self;
        let _polling = membership.poll(this_thread(), std::ptr::null());
        let output = closure();
        if let Some(error) = observer.error(&output) {
            membership.report(ExitReason::Failed(error));
        }
        output
    }
}

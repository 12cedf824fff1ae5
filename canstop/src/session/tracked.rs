//! The wrapper around a session's future.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::counter::Kind;
use super::membership::Membership;
use super::observer::Observer;
use super::scope::{Scope, expect_scope};
use super::site::Site;
use super::thread::{self, this_thread};
use crate::machine::Ending;

pin_project! {
    /// A session: the user's future, pinned in place, and its membership, dropped after it.
    ///
    /// An `async` block around the future would hold it twice. The second state costs no byte, as
    /// it hides in the membership's reference.
    #[project = TrackedProjection]
    #[project_replace = TrackedOwned]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub(super) enum Tracked<F, O> {
        Alive {
            #[pin]
            future: F,
            observer: O,
            membership: Membership,
        },
        Over,
    }
}

/// What a session that was given up ends with: its `JoinHandle` sees a panic with this payload.
#[derive(Debug)]
struct SessionAbandoned;

impl<F, O> Future for Tracked<F, O>
where
    F: Future,
    O: Observer<F::Output>,
{
    type Output = F::Output;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let TrackedProjection::Alive { future, observer, membership } = self.as_mut().project() else {
            return Poll::Pending;
        };
        let thread = this_thread();
        if membership.is_abandoned(thread) {
            return self.give_up();
        }
        // Taken before the user's code runs, which may put another waker into its context.
        let waker = cx.waker();
        let polling = membership.poll(thread, waker);
        let poll = future.poll(cx);
        match poll {
            Poll::Ready(output) => {
                if let Some(error) = observer.error(&output) {
                    membership.report(Ending::Failed(error));
                }
                // What it drops is still the session's own.
                let over = self.project_replace(Tracked::Over);
                drop(polling);
                if let TrackedOwned::Alive { membership, .. } = over {
                    membership.end(thread);
                }
                Poll::Ready(output)
            }
            Poll::Pending => {
                drop(polling);
                membership.wait(waker, thread);
                Poll::Pending
            }
        }
    }
}

impl<F, O> Tracked<F, O> {
    /// Drops the future in place and ends the task without an output.
    ///
    /// The future goes before the unwinding begins, so that a destructor that panics is a panic and
    /// not the end of the process. `resume_unwind` runs no panic hook; where panics abort, the task
    /// stays, empty, until its runtime ends.
    #[cold]
    fn give_up<T>(mut self: Pin<&mut Self>) -> Poll<T> {
        {
            let TrackedProjection::Alive { membership, .. } = self.as_mut().project() else {
                return Poll::Pending;
            };
            let _polling = membership.poll(this_thread(), std::ptr::null());
            self.set(Tracked::Over);
        }
        if cfg!(panic = "unwind") {
            resume_unwind(Box::new(SessionAbandoned));
        }
        Poll::Pending
    }
}

/// Spawns a session on the current runtime.
///
/// # Panics
///
/// Outside a supervisor.
#[track_caller]
#[inline]
pub(super) fn spawn_session<F, O>(site: &'static Site, future: F, observer: O) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    O: Observer<F::Output> + Send + 'static,
{
    let scope = expect_scope("`spawn_session!`");
    let Some(data_plane) = thread::data_plane() else {
        return spawn_on_current(site, scope, future, observer);
    };
    let membership = Membership::begin(site, scope, Kind::Session);
    data_plane.spawn(Tracked::Alive { future, observer, membership })
}

#[cold]
#[track_caller]
fn spawn_on_current<F, O>(site: &'static Site, scope: &'static Scope, future: F, observer: O) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    O: Observer<F::Output> + Send + 'static,
{
    let membership = Membership::begin(site, scope, Kind::Session);
    tokio::spawn(Tracked::Alive { future, observer, membership })
}

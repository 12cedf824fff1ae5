//! Waiting for the stop request of the program.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::session::Supervisor;

/// Completes when the stop of the program is requested.
///
/// Made by [`Lifecycle::draining`](super::Lifecycle::draining). It may be polled again after it was ready.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Draining {
    supervisor: &'static Supervisor,
    registered: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Draining {
    pub(super) fn new(supervisor: &'static Supervisor) -> Self {
        Self { supervisor, registered: None }
    }
}

impl Future for Draining {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let supervisor = self.supervisor;
        if supervisor.program_deadline().is_some() {
            return Poll::Ready(());
        }
        let token = || Box::pin(supervisor.draining_token().clone().cancelled_owned());
        // The request comes before the token is cancelled: what registers in time is woken.
        self.registered.get_or_insert_with(token).as_mut().poll(cx)
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_draining = self.supervisor.program_deadline().is_some();
        f.debug_struct("Draining").field("is_draining", &is_draining).finish_non_exhaustive()
    }
}

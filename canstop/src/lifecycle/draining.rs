//! Waiting for the stop request of the program.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::session::Hub;

/// Completes when the stop of the program is requested.
///
/// Made by [`Lifecycle::draining`](super::Lifecycle::draining). It may be polled again after it was ready.
///
/// ```
/// use std::time::Duration;
///
/// use canstop::testing::Harness;
/// use canstop::{Lifecycle, Signal};
///
/// /// Leaves the load balancer as soon as the program drains, and serves on until it is signalled.
/// #[canstop::service]
/// async fn member(lifecycle: Lifecycle) {
///     lifecycle.draining().await;
///     assert!(lifecycle.is_draining() && !lifecycle.is_stopping());
///     println!("the load balancer should send no more");
///     lifecycle.stopping().await;
/// }
///
/// Harness::new().drain_delay(Duration::from_secs(2)).run(async |mut sup| {
///     sup.start(member());
///     sup.signal(Signal::Terminate);
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Draining {
    hub: &'static Hub,
    registered: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Draining {
    pub(super) fn new(hub: &'static Hub) -> Self {
        Self { hub, registered: None }
    }
}

impl Future for Draining {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let hub = self.hub;
        if hub.program_deadline().is_some() {
            return Poll::Ready(());
        }
        let token = || Box::pin(hub.draining_token().clone().cancelled_owned());
        // The deadline is set before the token is cancelled: a reader that registers before that is woken.
        self.registered.get_or_insert_with(token).as_mut().poll(cx)
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_draining = self.hub.program_deadline().is_some();
        f.debug_struct("Draining").field("is_draining", &is_draining).finish_non_exhaustive()
    }
}

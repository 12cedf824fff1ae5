//! Settings that all connections of a server share.

use std::time::Duration;

use tokio::time::Instant;

use crate::lifecycle::Lifecycle;

/// The limits of a server, and its behaviour when a client disconnects.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) head_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) stalled_client: Duration,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) shield_requests: bool,
    /// Requests get an extension by which the router can set their route.
    #[cfg(feature = "axum")]
    pub(super) named_by_route: bool,
}

impl Settings {
    /// How long a client may stall during a stop: never so long that its service would be abandoned for it.
    pub(super) fn stalled_in_stop(&self, lifecycle: &Lifecycle) -> Duration {
        let left = lifecycle.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()) / 2);
        left.map_or(self.stalled_client, |left| self.stalled_client.min(left))
    }
}

//! What is set up for the outside world before the control plane runs.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(all(unix, feature = "handover"))]
use super::hand_over::HandOverSetup;
use crate::health::Server;
use crate::notify::Notifier;
use crate::settings::{Resolved, World};

/// Everything in it that can fail.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(super) health: Option<Server>,
    pub(super) notifier: Notifier,
    pub(super) stall: Duration,
    pub(super) blocked: Option<Duration>,
    pub(super) status: bool,
    pub(super) metrics: bool,
    #[cfg(all(unix, feature = "handover"))]
    pub(super) hand_over: Option<HandOverSetup>,
}

impl Outside {
    /// Binds the health endpoint and reads whom to notify.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound, or a variable cannot be read.
    pub(crate) fn prepare(resolved: &Resolved, world: &World<'_>) -> io::Result<Self> {
        let bind = |address: SocketAddr| Server::bind(address);
        // Its sockets come first: they include that of the health endpoint.
        #[cfg(all(unix, feature = "handover"))]
        let predecessor = crate::handover::Predecessor::from_environment(world)?;
        let notifier = Notifier::from_environment(world, resolved.notify).map_err(io::Error::other)?;
        #[cfg(all(unix, feature = "handover"))]
        let notifier = if predecessor.is_some() { notifier.held() } else { notifier };
        Ok(Self {
            #[cfg(all(unix, feature = "handover"))]
            hand_over: Some(HandOverSetup::new(resolved, predecessor)),
            notifier,
            health: resolved.health.map(bind).transpose()?,
            stall: resolved.stall,
            blocked: resolved.blocked,
            status: resolved.status,
            metrics: resolved.metrics,
        })
    }
}

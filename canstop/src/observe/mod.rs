//! Observing the running program: its status, its numbers and its events.

mod status;
mod events;
mod observer;
mod metrics;
mod page;

pub use events::{Events, events};
pub use metrics::{Metrics, ServiceMetrics, SessionMetrics, metrics};
pub use observer::observe;
pub use status::{ServiceStatus, SessionStatus, Status, status};

pub(crate) use status::status_of;

//! Observing the running program: its status, its numbers and its events.

mod status;
mod events;
mod observer;
mod inspect_errors;
mod words;
mod metrics;
mod prometheus;
#[cfg(feature = "metrics")]
mod facade;
mod page;

pub use events::{Events, events};
pub use inspect_errors::inspect_errors;
pub use metrics::{AcceptQueueMetrics, Metrics, RequestMetrics, ServiceMetrics, SessionMetrics, metrics};
pub use observer::observe;
pub use status::{ServiceStatus, SessionStatus, Status, status};

#[cfg(feature = "metrics")]
pub(crate) use facade::Facade;
pub(crate) use page::{Moment, Progress, Step};
pub(crate) use status::status_of;

//! What shall run: services, how they are made, and those that register themselves.

mod outcome;
mod dependency;
mod service;
mod registered;
mod handle;
mod start;

pub use dependency::Dependency;
pub use handle::{RestartError, ServiceHandle};
pub use outcome::{MainOutcome, Outcome};
pub use registered::Registration;
pub use service::{AnyService, Service};
pub use start::{run, start};

pub(crate) use registered::registered_in;
pub(crate) use start::hand_over;

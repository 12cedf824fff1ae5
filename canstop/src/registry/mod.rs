//! What shall run: services, how they are made, and those that register themselves.

mod outcome;
mod dependency;
mod service;
mod registered;
mod start;

pub use dependency::Dependency;
pub use outcome::{MainOutcome, Outcome};
pub use registered::Registration;
pub use service::{AnyService, Service};
pub use start::{ServiceHandle, run, start};

pub(crate) use registered::registered_in;
pub(crate) use start::hand_over;

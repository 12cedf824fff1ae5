//! What a service holds: how it hears that it should stop, and how it is heard.

mod handle;
mod stopping;

pub use handle::{EnterGuard, Lifecycle, OutsideSupervisor};
pub use stopping::{RunUntilStopping, Stopping};

//! The [`Lifecycle`] of a service, which notices a stop request and reports readiness, and the functions around it.

mod stopping;
mod draining;
mod enter;
mod ready_hold;
mod handle;
mod keep;
mod flush;
mod set_grace;
mod within;

pub use draining::Draining;
pub use enter::EnterGuard;
pub use flush::flush;
pub use handle::{Lifecycle, OutsideSupervisor};
pub use keep::keep;
pub use ready_hold::ReadyHold;
pub use set_grace::set_grace;
pub use stopping::{RunUntilStopping, Stopping};
pub use within::Within;

//! Supervision for Rust services: every session finished or named, an exit that comes by the
//! deadline whatever the code does, and an exit code that tells the truth.

// In reading order; each module may use those above it, and none below.
mod app;
mod control;
mod lifecycle;
mod machine;
mod macros;
#[doc(hidden)]
pub mod private;
mod registry;
mod report;
mod session;

pub use canstop_macros::{main, service};

pub use crate::app::{App, Flavor};
pub use crate::lifecycle::{EnterGuard, Lifecycle, OutsideSupervisor, RunUntilStopping, Stopping};
pub use crate::machine::{
    Activity, Cause, Exit, Fate, Ready, Report, Restart, ServiceReport, Signal, Straggler, StragglerKind,
};
pub use crate::registry::{AnyService, Dependency, MainOutcome, Outcome, Service, ServiceHandle, run, start};

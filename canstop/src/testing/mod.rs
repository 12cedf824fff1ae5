//! Tests of services, on a paused clock: no real time passes, no process exits, no signal is caught.
//!
//! A test with [`#[canstop::test]`](macro@crate::test) is given a [`Supervisor`] of its own. Its body
//! plays `main`; the control plane and the services run beside it on one thread, whose clock stands
//! still while anything can run, and then jumps to the next moment at which something is due. So a
//! test of a grace of five seconds takes microseconds, and the same at every run: also the pauses
//! before restarts are drawn from a fixed seed.
//!
//! ```
//! use canstop::testing::Supervisor;
//! use canstop::{Exit, Lifecycle, Signal, spawn_session};
//!
//! #[canstop::service(manual)]
//! async fn http(lifecycle: Lifecycle) {
//!     lifecycle.stopping().await;
//!     spawn_session!(async { println!("the last request is answered") });
//! }
//!
//! # mod tests { use super::*;
//! #[canstop::test]
//! async fn stops(mut sup: Supervisor) {
//!     sup.start(http());
//!     sup.signal(Signal::Terminate);
//!     let report = sup.stop().await;
//!     assert_eq!(report.exit, Exit::Clean);
//! }
//! # }
//! ```
//!
//! A session that outlives its test fails it, and so does one that a stop at the end of the test has to
//! leave behind: the message names where it was spawned. What [`Supervisor::stop`] left behind stands in
//! its report, for the test to judge.
//!
//! Work on the blocking pool takes real time, and the clock stands still meanwhile.

mod harness;
mod supervisor;
mod parameter;

pub use harness::Harness;
pub use parameter::TestParameter;
pub use supervisor::Supervisor;

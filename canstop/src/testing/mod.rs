//! Tests of services, on a paused clock: no real time passes, no process exits, no signal is caught.
//!
//! It needs the feature `testing`, which is off by default because it switches tokio's pausable clock on:
//!
//! ```toml
//! [dev-dependencies]
//! canstop = { version = "0.1", features = ["testing"] }
//! ```
//!
//! A test with [`#[canstop::test]`](macro@crate::test) has a [`Supervisor`] of its own. Its body plays
//! `main`. The control plane and the services run beside it on one thread, whose clock does not move while
//! anything can run, and then jumps to the next timer. So a test of a grace of five seconds takes
//! microseconds, and behaves the same at every run: the pauses before restarts have a fixed seed.
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
//! abandon: the message names where it was spawned. What [`Supervisor::stop`] abandoned is in its report, for
//! the test to judge.
//!
//! Before a signal or a stop takes effect, every service that the test has started was polled, and is ready
//! if it can be. One that fails at its start is restarted first, until it runs or has failed too often.
//!
//! # Stop everywhere
//!
//! `#[canstop::test(stop = "everywhere")]` finds the `.await` at which a stop loses work: it runs the test once for
//! each poll of its services and sessions, with a stop request injected after that poll. With `abandon =
//! "everywhere"` the end of the grace is injected. The message names the first poll after which the test fails, and
//! how to run that one alone. See [`Harness::stop_everywhere`].
//!
//! Such a test sends its work, stops, and compares what was acknowledged with what is there:
//!
//! ```no_run
//! # use canstop::testing::Supervisor;
//! # struct Store; impl Store { fn has(&self, _: u32) -> bool { true } }
//! # fn start_writer(_: &mut Supervisor) -> Store { Store }
//! # async fn send(_: u32) -> Result<(), ()> { Ok(()) }
//! # mod tests { use super::*;
//! #[canstop::test(stop = "everywhere", abandon = "everywhere")]
//! async fn no_acknowledged_event_is_lost(mut sup: Supervisor) {
//!     let store = start_writer(&mut sup);
//!     let mut acknowledged = Vec::new();
//!     for event in 0..10 {
//!         if send(event).await.is_ok() {
//!             acknowledged.push(event);
//!         }
//!     }
//!     let _ = sup.stop().await;
//!     assert!(acknowledged.into_iter().all(|event| store.has(event)));
//! }
//! # }
//! ```
//!
//! The runs are the same each time if the code is: a `tokio::select!` that is not `biased`, and the order of a
//! `HashMap`, are not. Then a poll that fails may pass when it runs alone.
//!
//! # Threads and sockets
//!
//! Work on the blocking pool takes real time, and the paused clock does not move meanwhile. While a test waits
//! for a thread that is not the runtime's, the paused clock jumps from timer to timer. While tasks are always ready, as
//! two that exchange messages for ever, it does not move at all, and no grace ends. A test that makes no progress for
//! ten seconds of real time fails, and names what it waits for, or what is always ready; see
//! [`Harness::hang_timeout`]. Tests with sockets and threads of their own run on a real clock:
//!
//! ```
//! use canstop::testing::{Clock, Harness};
//!
//! // What a test with `#[canstop::test(clock = "real")]` is.
//! Harness::new().clock(Clock::Real).run(async |mut sup| {
//!     assert!(sup.stop().await.is_clean());
//! });
//! ```

mod clock;
mod activity;
mod supervisor;
mod parameter;
mod settle;
mod plane;
mod injection;
mod watchdog;
mod harness;
mod everywhere;

pub use clock::Clock;
pub use harness::Harness;
pub use parameter::TestParameter;
pub use supervisor::Supervisor;

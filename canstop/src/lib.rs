//! Supervision for Rust services: every session finished or named, an exit that comes by the
//! deadline whatever the code does, and an exit code that tells the truth.
//!
//! ```no_run
//! # async fn serve(_socket: canstop::Stream) -> std::io::Result<()> { Ok(()) }
//! use canstop::{Lifecycle, spawn_session};
//!
//! /// Echoes every connection until the program is asked to stop.
//! #[canstop::service]
//! async fn echo(lifecycle: Lifecycle) -> anyhow::Result<()> {
//!     let listener = canstop::listen("echo", "127.0.0.1:48879").await?;
//!     lifecycle.ready();
//!     while let Some(accepted) = listener.accept().await {
//!         let (socket, peer) = accepted?;
//!         spawn_session!(serve(socket), %peer);
//!     }
//!     Ok(())
//! }
//!
//! #[canstop::main(grace = "5s")]
//! async fn main() -> anyhow::Result<()> {
//!     tracing_subscriber::fmt().init();
//!     Ok(())
//! }
//! ```
//!
//! # Services and sessions
//!
//! A **service** runs for the life of the program. It hears by its [`Lifecycle`] that it should stop,
//! and is started again when it returns an error or panics. One that needs nothing else starts by
//! itself; one that takes more is given to [`start()`] by `main`, which has the values. Both start when
//! `main` returns, or when it calls [`run()`].
//!
//! A **session** is a piece of work that is spawned anywhere with [`spawn_session!`], or on the
//! blocking pool with [`spawn_blocking_session!`]. The program does not end before it has ended, or
//! has had its time:
//!
//! ```standalone_crate
//! use std::time::Duration;
//!
//! use canstop::spawn_session;
//!
//! #[canstop::main]
//! async fn main() {
//!     spawn_session!(async {
//!         tokio::time::sleep(Duration::from_millis(100)).await;
//!         println!("With `tokio::spawn` this would be lost.");
//!     });
//! }
//! ```
//!
//! # The stop
//!
//! A SIGINT or SIGTERM, [`Lifecycle::shutdown`], a service that failed too often, a `main` that failed
//! or the last service that is done ask the program to stop. From then on there is one budget, the
//! grace of [`main`](macro@main):
//!
//! 1. For `drain_delay`, everything goes on serving.
//! 2. The edge is told to stop: services that no other names in `after(..)`. They, their sessions, those
//!    of `main` and of handlers that other libraries spawned, and a `main` that is not in [`run()`] are
//!    waited for.
//! 3. The dependencies are told to stop, level by level, each with its sessions. Time is reserved for
//!    each, so that nothing before it can use it up.
//! 4. What stands after [`run()`] in `main` runs: the teardown.
//! 5. The [`Report`] is told, and the process exits with the code of its [`Exit`].
//!
//! What does not end in time is dropped at its next `.await`, and named as a [`Straggler`]: where it was
//! spawned, how old it is, and whether it waits or blocks a thread. The signals and the deadline live
//! on a thread of canstop's own, so they are kept also where every other thread is blocked. A second
//! signal ends the program at once.
//!
//! # Exit codes
//!
//! | Code | Meaning |
//! |---|---|
//! | 0 | everything ended well and in time |
//! | 1 | a service or `main` failed, or the start did |
//! | 124 | something was left behind when its time was up |
//! | 128 + n | a second signal, number n, ended the program at once |
//!
//! # Supervision
//!
//! A service that fails is restarted after a pause with jitter, unless it fails more often than its
//! `limit`. `after(db)` is an order: start after `db`, stop before it. `bound_to(db)` is a fate as well: a
//! new life of `db` is a new life of the service.
//!
//! [`Lifecycle::start`] inside a service starts a child, which stops before its parent and never outlives
//! it. A [`ServiceHandle`] stops and restarts one service while the program goes on. [`status()`] shows
//! the whole tree, [`events()`] is the stream of everything that happens, and [`testing`] runs services on
//! a clock that stands still.
//!
//! # By hand
//!
//! The attributes write ordinary code: [`App`] is [`main`](macro@main), and [`Service`] is
//! [`service`](macro@service). Their documentation gives the equal of each option.
//!
//! # What it cannot do
//!
//! Work that is spawned with `tokio::spawn` or `std::thread::spawn` is not seen, and is lost at the
//! exit: [`lints`] tells where the compiler and clippy warn of it. A thread cannot be killed: a blocking
//! call that does not end is named and left behind. SIGKILL, `std::process::exit` and an abort ask nobody.

// In reading order; each module may use those above it, and none below.
mod failure;
mod machine;
mod settings;
mod report;
mod session;
mod lifecycle;
mod observe;
mod listen;
mod registry;
mod notify;
mod health;
mod control;
mod app;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "testing")]
pub mod testing;
mod macros;
pub mod lints;
mod private;
/// The private module of this version: code that another version's macros generated does not find it.
#[doc(hidden)]
pub mod __private_0_1 {
    pub use crate::private::*;
}

#[cfg(not(feature = "testing"))]
pub use canstop_macros::__test_without_testing as test;
#[cfg(feature = "testing")]
pub use canstop_macros::test;
pub use canstop_macros::{main, service};

pub use crate::app::{App, Flavor};
pub use crate::lifecycle::{
    Draining, EnterGuard, Lifecycle, OutsideSupervisor, ReadyHold, RunUntilStopping, Stopping, keep,
};
pub use crate::listen::{Address, ListenAddress, Listener, Peer, Stream, listen};
pub use crate::machine::{
    Activity, Cause, Event, Exit, ExitReason, LimitExceeded, Location, Ready, Report, Restart, ServiceOutcome,
    ServiceReport, ServiceState, Signal, Start, Straggler, StragglerKind,
};
pub use crate::machine::{Platform, SettingSource};
pub use crate::observe::{Events, ServiceStatus, SessionStatus, Status, events, observe, status};
pub use crate::observe::{Metrics, ServiceMetrics, SessionMetrics, metrics};
pub use crate::registry::{
    AnyService, Dependency, LifecycleParameter, MainOutput, MakesService, RestartError, RestartState, Service,
    ServiceFunction, ServiceHandle, ServiceOutput, run, start,
};

pub use crate::session::Session;

//! Supervision for services on tokio: signals handled, failures restarted, every session finished or
//! named, an exit by the deadline, and an exit code you can trust.
//!
//! ```no_run
//! # async fn serve(_socket: canstop::Stream) -> std::io::Result<()> { Ok(()) }
//! use canstop::{Lifecycle, spawn_session};
//!
//! /// Echoes every connection until the program stops.
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
//! #[canstop::main]
//! async fn main() -> anyhow::Result<()> {
//!     tracing_subscriber::fmt().init();
//!     Ok(())
//! }
//! ```
//!
//! The [guide] begins with a first service, and has a page for each task: a web service with a database,
//! tests, process managers, troubleshooting, migration.
//!
//! # Services and sessions
//!
//! A **service** runs as long as the program. It learns through its [`Lifecycle`] that it should
//! stop, and is restarted when it returns an error or panics. One that needs nothing else starts by
//! itself; `main` gives one that takes more to [`start()`]. Both start when the body of `main` reaches its
//! end, with its locals still alive, or where it calls [`run()`].
//!
//! A **session** is a piece of work that is spawned anywhere with [`spawn_session!`], or on the blocking
//! pool with [`spawn_blocking_session!`]. The program waits for it at a stop:
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
//! These request a stop: SIGINT, SIGTERM or SIGHUP, [`Lifecycle::shutdown`], a service that exceeds its
//! `limit`, a `main` that fails, and the last service that is done. The stop has one budget, the grace of
//! [`main`](macro@main), and goes through these steps:
//!
//! 1. For `drain_delay`, everything goes on serving; [`Lifecycle::is_draining`] is true.
//! 2. Front services are signalled: those that no other names in `after(..)`. The program waits for them,
//!    for their sessions, for sessions that no service owns, and for a `main` that is not in [`run()`].
//! 3. Dependencies are signalled, level by level, each with its sessions. Each level has its own reserved
//!    time, which no earlier step can use.
//! 4. The code after [`run()`] in `main` runs: the teardown.
//! 5. The [`Report`] is emitted, values given to [`keep`] are dropped, and the process exits with the code
//!    of its [`Exit`].
//!
//! What does not end in time is dropped at its next `.await` and named as a [`Straggler`]: where it was
//! spawned, how old it is, and whether it waits or blocks a thread. Signals and the deadline live on a
//! thread of their own, so they work while every other thread is blocked. A second signal during the drain
//! delay ends the delay; a later one ends the program at once.
//!
//! # Exit codes
//!
//! | Code | Meaning |
//! |---|---|
//! | 0 | everything ended well and in time |
//! | 1 | a service, `main` or the start failed |
//! | 124 | something did not end in time and was abandoned |
//! | 128 + n | a second signal n ended the program at once, or signal n interrupted a program without services |
//!
//! # Supervision
//!
//! A service that fails is restarted after a pause with jitter, unless it fails more often than its
//! `limit`. `after(db)` is an order: start after `db`, stop before it. `bound_to(db)` also restarts the
//! service whenever `db` is restarted.
//!
//! [`Lifecycle::start`] inside a service starts a child, which stops before its parent and never outlives
//! it. A [`ServiceHandle`] stops and restarts one service while the program runs. [`status()`] shows the
//! whole tree, [`events()`] and [`observe`] report everything that happens, and the module `testing`, with
//! the feature of that name, runs services on a paused clock.
//!
//! # By hand
//!
//! The attributes generate ordinary code: [`App`] is [`main`](macro@main), and [`Service`] is
//! [`service`](macro@service). Their documentation gives the equivalent of each option.
//!
//! # Features
//!
//! | Feature | Adds | Default |
//! |---|---|---|
//! | `systemd` | notifications to systemd, on Linux, where `NOTIFY_SOCKET` is set | yes |
//! | `http` | `canstop::http`: serving tower services over HTTP/1 and HTTP/2 | no |
//! | `axum` | `canstop::axum`: the same for a router, with routes in reports, and websockets that are sessions | no |
//! | `metrics` | the numbers of [`metrics()`] for the recorder of the `metrics` crate, once a second | no |
//! | `fd_store` | listeners that systemd keeps open during a restart, on Linux, where `NOTIFY_SOCKET` is set | no |
//! | `handover` | `canstop::hand_over`, and SIGUSR2: a new process takes the listeners over, on Unix | no |
//! | `spans` | a span around each service and session, for every line that they log | no |
//! | `testing` | `canstop::testing` and `#[canstop::test]` | no |
//!
//! # What it cannot do
//!
//! It does not see work that `tokio::spawn` or `std::thread::spawn` runs; that work is lost at the exit.
//! [`lints`] says where the compiler and clippy warn of it. It cannot kill a thread: a blocking call that
//! does not end is named and abandoned. SIGKILL, `std::process::exit` and an abort give no time.

// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(not(unix), any(feature = "fd_store", feature = "handover")))]
compile_error!(
    "canstop's features `fd_store` and `handover` pass sockets between processes, which this system cannot do: enable \
     them under `[target.'cfg(unix)'.dependencies]`"
);

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
#[cfg(all(unix, feature = "handover"))]
mod handover;
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
#[cfg(all(doc, not(doctest)))]
pub mod guide;
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
#[cfg(all(unix, feature = "handover"))]
pub use crate::handover::{HandOverError, hand_over};
pub use crate::lifecycle::flush;
pub use crate::lifecycle::{
    Draining, EnterGuard, Lifecycle, OutsideSupervisor, ReadyHold, RunUntilStopping, Stopping, keep, set_grace,
};
pub use crate::listen::{Address, ListenAddress, Listener, Peer, Stream, listen};
pub use crate::machine::{
    Activity, Cause, Event, Exit, ExitReason, LimitExceeded, Location, Ready, Report, Restart, ServiceOutcome,
    ServiceReport, ServiceState, Signal, Start, Straggler, StragglerKind,
};
pub use crate::machine::{Platform, SettingSource};
pub use crate::observe::{AcceptQueueMetrics, Metrics, RequestMetrics, ServiceMetrics, SessionMetrics, metrics};
pub use crate::observe::{Events, ServiceStatus, SessionStatus, Status, events, inspect_errors, observe, status};
pub use crate::registry::{
    AnyService, Dependency, LifecycleParameter, MainOutput, MakesService, RestartError, RestartState, Service,
    ServiceFunction, ServiceHandle, ServiceOutput, run, start,
};

pub use crate::session::{ReturnedError, Session};

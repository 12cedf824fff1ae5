//! What `#[canstop::service]` and `#[canstop::main]` warn of in a body.
//!
//! They look at the words of a body, not at its types, so they see calls that are written with
//! their path, such as `tokio::spawn(..)` and `std::thread::sleep(..)`. Stable Rust lets a macro warn
//! only through an item that is deprecated, and that is all these are. Where the call is meant,
//! `#[canstop::service(allow(raw_spawn))]` or `allow(blocking_call)` says so.
//!
//! What they cannot see, a call under another name, a method, or what a function does that the service
//! calls, clippy finds with this `clippy.toml`. Where such a call is meant, there is
//! `#[allow(clippy::disallowed_methods, reason = "..")]`.
//!
//! A service that none of them warns of, with what it would warn of beside each line:
//!
//! ```
//! use std::io;
//! use std::time::Duration;
//!
//! use canstop::testing::{Clock, Harness};
//! use canstop::{Lifecycle, spawn_blocking_session, spawn_session};
//!
//! # fn checksum(text: &str) -> usize { text.len() }
//! # async fn send(_sum: usize) {}
//! #[canstop::service]
//! async fn report(lifecycle: Lifecycle) -> io::Result<()> {
//!     let read = || std::fs::read_to_string("Cargo.toml"); // called here, `blocking_io`
//!     let text = spawn_blocking_session!(read).await??; // `raw_spawn_blocking`
//!     let sum = spawn_blocking_session!(move || checksum(&text)).await?; // `raw_thread`
//!     spawn_session!(send(sum)); // `raw_spawn`
//!     tokio::time::sleep(Duration::from_millis(1)).await; // `blocking_sleep`
//!     lifecycle.stopping().await; // `block_on`
//!     Ok(())
//! }
//!
//! Harness::new().clock(Clock::Real).run(async |mut sup| {
//!     sup.start(report());
//!     assert!(sup.stop().await.is_clean());
//! });
//! ```
//!
#![doc = concat!("```toml\n", include_str!("../docs/clippy.toml"), "```")]

/// `tokio::spawn(..)`, `tokio::task::spawn(..)` or `spawn_local(..)`.
#[deprecated(
    note = "a stop does not wait for this task, and loses what it still does: write `canstop::spawn_session!(..)`, or say `allow(raw_spawn)` in `#[canstop::service(..)]`"
)]
pub fn raw_spawn() {}

/// `tokio::task::spawn_blocking(..)`.
#[deprecated(
    note = "a stop does not wait for this closure, and loses what it still does: write `canstop::spawn_blocking_session!(..)`, or say `allow(raw_spawn)` in `#[canstop::service(..)]`"
)]
pub fn raw_spawn_blocking() {}

/// `std::thread::spawn(..)`.
#[deprecated(
    note = "a stop does not wait for this thread, and the exit kills it: write `canstop::spawn_blocking_session!(..)`, or a service with `#[canstop::service(blocking)]`, or say `allow(raw_spawn)`"
)]
pub fn raw_thread() {}

/// `upgrade.on_upgrade(|socket| ..)`, as axum has it.
#[deprecated(
    note = "this closure runs in a task that is no session, so no report names its line, and it is lost if nothing waits for its connection: write `.on_upgrade(canstop::http::upgrade(|socket| ..))`, or say `allow(raw_spawn)` in `#[canstop::service(..)]`"
)]
pub fn raw_upgrade() {}

/// `std::thread::sleep(..)`.
#[deprecated(
    note = "this blocks a thread of the runtime, and the service cannot hear a stop meanwhile: write `tokio::time::sleep(..).await`, or say `allow(blocking_call)` in `#[canstop::service(..)]`"
)]
pub fn blocking_sleep() {}

/// `block_on(..)`.
#[deprecated(
    note = "this blocks a thread of the runtime, and panics on tokio's own: write `.await`, or say `allow(blocking_call)` in `#[canstop::service(..)]`"
)]
pub fn block_on() {}

/// `std::fs`, `std::net` and `std::io::stdin`, or `reqwest::blocking`.
#[deprecated(
    note = "this blocks a thread of the runtime, and the service cannot hear a stop meanwhile: write what tokio has for it with `.await`, or `canstop::spawn_blocking_session!(move || ..).await`, or say `allow(blocking_call)` in `#[canstop::service(..)]`"
)]
pub fn blocking_io() {}

/// A guard in a `main` that calls `canstop::run()` itself.
#[deprecated(
    note = "this is dropped when `main` returns, before the last line is written: write `canstop::keep(..)` around it, or leave out the call of `canstop::run()`, which keeps it until the end"
)]
pub fn guard_beside_run() {}

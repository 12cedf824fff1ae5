//! Proof of the machine: that the invariants at the top of [`super::state`] hold under every order of
//! events.
//!
//! - [`oracle`] watches events in and actions out, and knows what must never be. Everything below
//!   goes through it.
//! - [`exhaustive`] takes small plans through every order of events, up to a depth.
//! - [`random`] takes large plans through simulated worlds in which anything may fail or get stuck.
//! - [`life`] tells what happens in single scenes, each a sentence.
//!
//! No test takes real time. The random one plays 300 worlds; this plays a million:
//!
//! ```text
//! CANSTOP_CASES=1000000 cargo test --release -p canstop --lib machine::tests::random
//! ```

mod build;
mod cross_check;
mod exhaustive;
mod explore;
mod harness;
mod life;
mod oracle;
mod random;
mod world;

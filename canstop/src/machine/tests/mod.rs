//! Proof of the machine: the invariants at the top of [`super::state`] hold under every order of inputs.
//!
//! - [`oracle`] checks every call: inputs in, actions out. All other tests run through it.
//! - [`exhaustive`] takes small plans through every order of inputs, up to a depth.
//! - [`random`] takes large plans through simulated worlds in which anything may fail or hang.
//! - [`scenes`] are single cases; the name of each test states what happens.
//!
//! No test takes real time. The random test plays 300 worlds. This plays a million:
//!
//! ```text
//! CANSTOP_CASES=1000000 cargo test --release -p canstop --lib machine::tests::random
//! ```

mod build;
mod cross_check;
mod exhaustive;
mod explore;
mod harness;
mod oracle;
mod random;
mod scenes;
mod world;

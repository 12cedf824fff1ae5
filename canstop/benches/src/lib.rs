//! The cost of a session compared with its alternatives: see `README.md`.
//!
//! [`ways`] defines each way to spawn work once, and every benchmark runs all of them. They take turns in many
//! short rounds, and each is compared with `tokio::spawn` in the same round, so that other work on the machine
//! slows them alike. Criterion and divan cannot do that: they measure one way after the other.

pub mod ways;
pub mod load;
pub mod races;
pub mod supervised;
pub mod rounds;
pub mod table;
pub mod arguments;
pub mod child;
pub mod callgrind;
pub mod baseline;

//! Code that the larger programs in `examples` share, and that their tests and benchmarks use to run
//! them. Its doctests also check that the code in the documents compiles.

mod client;
mod database;
mod duration;
mod paced;
pub mod program;

pub use client::{Answer, Client};
pub use database::{Database, InvalidDatabase};
pub use duration::parse_duration;
pub use paced::paced;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/without-macros.md")]
struct WithoutMacros;

#[cfg(doctest)]
#[doc = include_str!("../../docs/stop.md")]
struct HowAStopGoes;

//! What the larger programs in `examples` share, and what their tests and measurements need to run
//! them. It also checks that the code in the documents compiles.

mod client;
mod database;
mod duration;
pub mod program;

pub use client::{Answer, Client};
pub use database::{Database, InvalidDatabase};
pub use duration::parse_duration;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/without-macros.md")]
struct WithoutMacros;

#[cfg(doctest)]
#[doc = include_str!("../../docs/stop.md")]
struct HowAStopGoes;

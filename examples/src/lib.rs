//! What the larger programs in `examples` share. It also checks that the code in the documents
//! compiles.

mod database;
mod duration;

pub use database::{Database, InvalidDatabase};
pub use duration::parse_duration;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/without-macros.md")]
struct WithoutMacros;

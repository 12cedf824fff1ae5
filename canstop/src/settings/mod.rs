//! Settings from code, the environment and the platform, and their precedence.
//!
//! The environment overrides code, code overrides the platform, and the platform overrides the default. An empty
//! variable counts as unset, so that `CANSTOP_GRACE=${GRACE}` in a compose file is harmless.
//!
//! Architecture invariant: this module reads the environment and the file system only through [`World`], so that
//! every combination can be a unit test.

// The macros read the same grammar at compile time, from a copy of this file.
mod duration;
mod world;
mod platform;
mod value;
mod resolve;

pub(crate) use resolve::{InCode, Resolved};
pub(crate) use value::{LogLevel, Plain};
pub(crate) use world::World;

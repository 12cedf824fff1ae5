//! Settings: what code, the environment and the platform ask for, and which of them wins.
//!
//! The environment beats code, code beats the platform, and the platform beats the default. An empty
//! variable counts as one that is not set, so that `CANSTOP_GRACE=${GRACE}` in a compose file is harmless.
//!
//! Architecture invariant: nothing in here reads the environment or the file system by itself; both come
//! in by [`World`], so that every combination is a unit test.

// The macros read the same grammar at compile time, from a copy of this file.
mod duration;
mod platform;
mod resolve;
mod value;
mod world;

pub(crate) use resolve::{InCode, Plain, Resolved};
pub(crate) use world::World;

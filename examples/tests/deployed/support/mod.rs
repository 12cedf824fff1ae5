//! What the tests stand on.

mod disk;
mod load;
mod place;
mod postgres;
mod random;

pub(crate) use disk::SmallDisk;
pub(crate) use load::Load;
pub(crate) use place::{Location, LockedDatabase};
pub(crate) use postgres::{Server, Shutdown};
pub(crate) use random::Random;

//! Databases, load, disks and random numbers for the tests.

mod disk;
mod load;
mod place;
mod postgres;
mod random;

pub(crate) use disk::SmallDisk;
pub(crate) use load::Load;
pub(crate) use place::{LockedDatabase, TestDatabase};
pub(crate) use postgres::{Server, Shutdown};
pub(crate) use random::Random;

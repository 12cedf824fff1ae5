//! How it is told: what is said, on which way, and when nobody listens.

mod show;
mod teller;
mod telling;

pub(crate) use teller::Teller;
pub(crate) use telling::{LastLine, Telling};

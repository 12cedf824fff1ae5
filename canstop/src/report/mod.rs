//! How it is told: what is said, on which way, and when nobody listens.

mod show;
mod telling;
mod teller;

pub(crate) use teller::Teller;
pub(crate) use telling::{LastLine, Telling};

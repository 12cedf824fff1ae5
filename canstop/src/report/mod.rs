//! How it is told: what is said, on which way, and when nobody listens.

mod display;
mod event;
mod emit;
mod reporter;

pub(crate) use display::Rounded;
pub(crate) use reporter::Reporter;

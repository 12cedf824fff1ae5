//! How it is told: what is said, on which way, and when nobody listens.

mod show;
mod event;
mod telling;
mod teller;

pub use event::Event;
pub(crate) use show::Rounded;
pub(crate) use teller::Teller;

//! The control plane: the only rooms that touch threads, signals, the clock and the exit.
//!
//! A signal comes in through [`signals`], becomes an event in the [`event_loop`], is judged by the
//! machine, and what that decides is done in [`perform`].
//!
//! Architecture invariant: no user code runs here, and nothing here waits without a limit.

mod signals;
mod clock;
mod exit;
mod service_table;
mod drain_stats;
mod event_loop;
mod perform;
mod thread;

#[cfg(feature = "testing")]
pub(crate) use event_loop::EventLoop;
#[cfg(feature = "testing")]
pub(crate) use thread::MainChannels;
pub(crate) use thread::{ControlPlane, DATA_PLANE_LIMIT, Settings, launch};

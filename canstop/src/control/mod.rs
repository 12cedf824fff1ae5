//! The control plane: the only code that touches threads, signals, the clock and the exit.
//!
//! A signal is delivered to the [`exit_guard`]'s thread and becomes an input in the [`event_loop`]. The machine
//! decides, and [`perform`] does what it decides. If none of that works, the guard ends the process.
//!
//! Architecture invariant: no user code runs here, and nothing here waits without a limit.

mod clock;
mod frozen;
mod settings;
mod exit;
mod signals;
mod exit_watch;
mod exit_guard;
mod main_channels;
mod held_workers;
mod service_run;
mod own_runtime;
mod service_table;
mod drain_stats;
#[cfg(feature = "metrics")]
mod recording;
#[cfg(all(unix, feature = "handover"))]
mod hand_over;
mod outside;
mod operations;
mod event_loop;
mod sessions;
mod messages;
#[cfg(all(unix, feature = "handover"))]
mod perform_hand_over;
#[cfg(all(target_os = "linux", feature = "fd_store"))]
mod store;
mod perform;
mod queues;
mod tick;
mod answers;
mod thread;

#[cfg(feature = "testing")]
pub(crate) use event_loop::EventLoop;
pub(crate) use main_channels::ControlPlane;
#[cfg(feature = "testing")]
pub(crate) use main_channels::MainChannels;
pub(crate) use outside::Outside;
pub(crate) use settings::Settings;
#[cfg(feature = "testing")]
pub(crate) use signals::Delivery;
pub(crate) use thread::{DATA_PLANE_LIMIT, launch};

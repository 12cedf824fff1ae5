//! What the tests under real process managers and load balancers share.
//!
//! Each test starts the manager itself, with a configuration and a folder of its own, on ports of its own, and ends it
//! again. Where a manager is not installed, its tests say so on stderr and pass; with `CANSTOP_MANAGERS=required` in the
//! environment they fail. Beside each scenario is a control: the same under a program or a configuration that must fail.
#![cfg(unix)]

mod daemon;
mod events;
mod haproxy;
mod installed;
mod ports;
mod service;
mod systemd;

pub use daemon::Daemon;
pub use events::{Events, Lock};
pub use haproxy::HAPROXY_DEFAULTS;
pub use installed::{command, is_installed, refuse, runs_all};
pub use ports::free_port;
pub use service::{Service, eventually, output_of};
pub use systemd::{NAMESPACES, Systemd};

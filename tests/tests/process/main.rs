//! Stops of real processes, seen from outside: their exit code, their output, and how long they take.
#![cfg(unix)]

/// Starts a probe by its name, with its arguments.
macro_rules! start {
    ($probe:literal $(, $argument:expr)*) => {
        canstop_tests::Probe::start(env!(concat!("CARGO_BIN_EXE_", $probe)), &[$($argument),*])
    };
}

mod blocked;
mod browser;
mod closing;
mod control;
mod drain;
mod elsewhere;
mod everything;
mod exporting;
mod failing;
mod families;
mod guards;
#[cfg(target_os = "linux")]
mod handover;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod handover_steps;
mod health;
mod hearing;
#[cfg(target_os = "linux")]
mod launching;
mod levels;
mod linking;
#[cfg(target_os = "linux")]
mod many;
#[cfg(target_os = "linux")]
mod notify;
mod numbers;
mod operated;
mod outputs;
mod own_runtime;
mod quiet;
mod report;
mod reporting;
mod restarts;
mod services;
mod settings;
mod setup;
mod shared;
mod signals;
mod store;
mod teardown;
mod threads;
mod watchers;

use std::time::Duration;

use canstop_tests::{Finished, Probe, READY};

/// The deadline of a probe with a grace of one second: a quarter of a second later.
const DEADLINE: Duration = Duration::from_millis(1_250);
/// Far less than the grace: the stop waited for nothing.
const PROMPTLY: Duration = Duration::from_millis(500);

/// Waits until a probe is ready, sends it SIGTERM, and waits until it ends.
fn terminate(mut probe: Probe) -> Finished {
    probe.wait_for_line(READY);
    probe.terminate()
}

//! A hundred thousand sessions that wait for the stop and for nothing else. The last one to begin says
//! that all have. The argument is the grace in milliseconds.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use canstop::{App, Lifecycle, spawn_session};
use canstop_tests::{READY, scenario};

const SESSIONS: u32 = 100_000;

static BEGUN: AtomicU32 = AtomicU32::new(0);

fn main() -> ExitCode {
    let grace = scenario().parse().expect("a grace in milliseconds");
    App::new().grace(Duration::from_millis(grace)).run(async {
        for _ in 0..SESSIONS {
            spawn_session!(async {
                let lifecycle = Lifecycle::current();
                if BEGUN.fetch_add(1, Ordering::Relaxed) + 1 == SESSIONS {
                    println!("{READY}");
                }
                lifecycle.stopping().await;
            });
        }
        Lifecycle::current().stopping().await;
    })
}

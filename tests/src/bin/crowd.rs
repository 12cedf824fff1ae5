//! Many sessions that only wait for the stop. The last one to start prints READY. The arguments are the grace in
//! milliseconds and the number of sessions.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use canstop::{App, Lifecycle, spawn_session};
use canstop_tests::{READY, scenario};

static BEGUN: AtomicU32 = AtomicU32::new(0);

fn main() -> ExitCode {
    let grace = scenario().parse().expect("a grace in milliseconds");
    let sessions: u32 = std::env::args().nth(2).expect("a second argument").parse().expect("a number of sessions");
    App::new().grace(Duration::from_millis(grace)).run(async {
        for _ in 0..sessions {
            spawn_session!(async move {
                let lifecycle = Lifecycle::current();
                if BEGUN.fetch_add(1, Ordering::Relaxed) + 1 == sessions {
                    println!("{READY}");
                }
                lifecycle.stopping().await;
            });
        }
        Lifecycle::current().stopping().await;
    })
}

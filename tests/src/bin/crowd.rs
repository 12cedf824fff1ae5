//! A hundred thousand sessions that wait for the stop and for nothing else. The last one to begin says
//! that all have. The grace leaves room for a debug build on a busy machine: what is asked is whether
//! all hear the stop, not how fast.

use std::sync::atomic::{AtomicU32, Ordering};

use canstop::{Lifecycle, spawn_session};
use canstop_tests::READY;

const SESSIONS: u32 = 100_000;

static BEGUN: AtomicU32 = AtomicU32::new(0);

#[canstop::main(grace = "10s")]
async fn main() {
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
}

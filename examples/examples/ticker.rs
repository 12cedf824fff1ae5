//! The program of the guide's first page: a service, and a session at each of its ticks.
//!
//! Press Ctrl-C between two ticks. The session that has begun still prints its line, and the last line counts it.
//!
//! `cargo run --example ticker`

use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use tokio::time::sleep;

/// Starts with the program, because it takes nothing but its `Lifecycle`.
#[canstop::service]
async fn ticker(lifecycle: Lifecycle) {
    let mut tick = 0;
    while let Some(()) = lifecycle.run_until_stopping(sleep(Duration::from_millis(500))).await {
        tick += 1;
        spawn_session!(report(tick));
    }
    println!("no more ticks");
}

/// A piece of work that a stop waits for.
async fn report(tick: u32) {
    println!("tick {tick} begins");
    sleep(Duration::from_millis(400)).await;
    println!("tick {tick} is reported");
}

#[canstop::main]
async fn main() {
    tracing_subscriber::fmt().init();
}

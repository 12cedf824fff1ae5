//! Two services that fail: one recovers, the other exceeds its limit.
//!
//! The `sensor` fails to reach its device three times, is restarted after a pause each time, and then
//! measures. The `printer` may fail twice within a minute; its third failure is a failure of the program:
//! the other services stop in order, and the exit code is 1.
//!
//! `cargo run --example restart`

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::ensure;
use canstop::Lifecycle;
use tokio::time::sleep;

/// Its device may not be there yet, so a failure before the first `ready()` does not fail the start: that is
/// `start = "retry"`. Each pause is random, between 50 ms and a ceiling that doubles with each failure, up to 1 s.
#[canstop::service(start = "retry", backoff = "50ms..1s")]
async fn sensor(lifecycle: Lifecycle) -> anyhow::Result<()> {
    static ATTEMPTS: AtomicU32 = AtomicU32::new(0);
    let attempt = 1 + ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    ensure!(attempt > 3, "no answer on attempt {attempt}");
    println!("sensor: measuring since attempt {attempt}");
    lifecycle.ready();
    lifecycle.stopping().await;
    println!("sensor: stopping");
    Ok(())
}

/// Starts when the sensor is ready.
#[canstop::service(after(sensor), backoff = "50ms..1s", limit = "2 in 1m")]
async fn printer(_lifecycle: Lifecycle) -> anyhow::Result<()> {
    sleep(Duration::from_millis(100)).await;
    anyhow::bail!("out of paper")
}

#[canstop::main]
async fn main() {
    tracing_subscriber::fmt().init();
}

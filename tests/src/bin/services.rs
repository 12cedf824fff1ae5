//! Services that stop cleanly, fail, or never stop. `main` starts the one that the first argument names.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use canstop::Lifecycle;
use canstop_tests::{READY, scenario};

#[canstop::main(grace = "1s")]
async fn main() {
    let handle = match scenario().as_str() {
        "polite" => canstop::start(polite()),
        "deaf" => canstop::start(deaf()),
        "failing" => canstop::start(failing()),
        "panicking" => canstop::start(panicking()),
        "fails-to-flush" => canstop::start(fails_to_flush()),
        "asks-for-the-stop" => canstop::start(asks_for_the_stop()),
        other => panic!("no scenario {other}"),
    };
    println!("main has started `{}`", handle.name());
}

#[canstop::service(manual)]
async fn polite(lifecycle: Lifecycle) {
    println!("{READY}");
    lifecycle.stopping().await;
    println!("the service is stopping");
}

/// Ignores its lifecycle.
#[canstop::service(manual)]
async fn deaf(_lifecycle: Lifecycle) {
    println!("{READY}");
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[canstop::service(manual, backoff = "1ms..2ms", limit = "2 in 30s")]
async fn failing(_lifecycle: Lifecycle) -> anyhow::Result<()> {
    println!("a run of the failing service");
    Err(anyhow::anyhow!("connection refused").context("cannot reach the database"))
}

/// Panics in its first run, and keeps running in the second one.
#[canstop::service(manual, backoff = "1ms..2ms")]
async fn panicking(lifecycle: Lifecycle) {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    if RUNS.fetch_add(1, Ordering::Relaxed) == 0 {
        panic!("the first run's fault");
    }
    println!("{READY}");
    lifecycle.stopping().await;
    println!("the second run is stopping");
}

#[canstop::service(manual)]
async fn fails_to_flush(lifecycle: Lifecycle) -> std::io::Result<()> {
    println!("{READY}");
    lifecycle.stopping().await;
    Err(std::io::Error::other("the disk is full"))
}

#[canstop::service(manual)]
async fn asks_for_the_stop(lifecycle: Lifecycle) {
    lifecycle.shutdown("maintenance at noon");
    lifecycle.stopping().await;
    println!("the service is stopping");
}

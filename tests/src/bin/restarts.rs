//! Services that fail and are restarted: by their policy, together, or by a handle. `main` starts those of the
//! scenario that the first argument names.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use canstop::{Lifecycle, ServiceState, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::time::sleep;

#[canstop::main(grace = "1s")]
async fn main() -> anyhow::Result<()> {
    match scenario().as_str() {
        "flapping" => {
            canstop::start(flapping());
            canstop::start(other());
        }
        "backs-off" => {
            let service = canstop::start(backs_off());
            spawn_session!(async move {
                while service.status().state != ServiceState::BackingOff {
                    sleep(Duration::from_millis(1)).await;
                }
                println!("{READY}");
            });
        }
        "bound" => {
            let db = canstop::start(db());
            canstop::start(cache());
            canstop::start(http(db));
        }
        other => anyhow::bail!("no scenario {other}"),
    }
    Ok(())
}

/// Fails in each run until the other service has healed, so that it never fails during the stop.
#[canstop::service(manual, backoff = "10ms..10ms", limit = "1000000 in 1s")]
async fn flapping(lifecycle: Lifecycle) -> anyhow::Result<()> {
    sleep(Duration::from_millis(10)).await;
    if !HEALED.load(Ordering::Relaxed) {
        anyhow::bail!("connection refused");
    }
    lifecycle.shutdown("both have healed");
    Ok(())
}

static HEALED: AtomicBool = AtomicBool::new(false);

/// Fails six times, and prints how late each restart is.
#[canstop::service(manual, backoff = "200ms..200ms", limit = "10 in 60s")]
async fn other(_lifecycle: Lifecycle) -> anyhow::Result<()> {
    static FAILED: Mutex<Vec<Instant>> = Mutex::new(Vec::new());
    let now = Instant::now();
    let times = {
        let mut failed = FAILED.lock().expect("no holder panics");
        if let Some(last) = failed.last() {
            println!("late by {} us", (now - *last).saturating_sub(Duration::from_millis(200)).as_micros());
        }
        failed.push(now);
        failed.len()
    };
    if times <= 6 {
        anyhow::bail!("connection reset");
    }
    HEALED.store(true, Ordering::Relaxed);
    Ok(())
}

#[canstop::service(manual, backoff = "8s..8s")]
async fn backs_off(_lifecycle: Lifecycle) -> anyhow::Result<()> {
    anyhow::bail!("connection refused")
}

#[canstop::service(manual, ready = "notify")]
async fn db(lifecycle: Lifecycle) {
    live("db", lifecycle).await;
}

#[canstop::service(manual, ready = "notify", bound_to(db))]
async fn cache(lifecycle: Lifecycle) {
    live("cache", lifecycle).await;
}

async fn live(name: &str, lifecycle: Lifecycle) {
    println!("{name} starts");
    lifecycle.ready();
    lifecycle.stopping().await;
    println!("{name} is stopping");
}

/// Only names the database in `after`, so it keeps running while the others restart. It requests the restart.
#[canstop::service(manual, after(cache), restart = "never")]
async fn http(lifecycle: Lifecycle, db: canstop::ServiceHandle) -> anyhow::Result<()> {
    println!("http starts");
    db.restart().await?;
    println!("the database is ready again, restarts: {}", db.status().restarts);
    lifecycle.shutdown("seen enough");
    lifecycle.stopping().await;
    println!("http is stopping");
    Ok(())
}

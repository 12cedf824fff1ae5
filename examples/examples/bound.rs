//! Services that restart together.
//!
//! `session_cache` holds data that it read from `users`, and is bound to it: when `users` restarts, the cache
//! restarts after it. `metrics` only starts after `users`, and keeps running. `primary` and `replica` are bound
//! to each other: when one of them fails, both restart. The example ends by itself after a second.
//!
//! `cargo run --example bound`

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use canstop::{Lifecycle, ServiceHandle};
use tokio::time::sleep;

#[canstop::service(manual)]
async fn users(lifecycle: Lifecycle) {
    run_until_stopping("users", &lifecycle).await;
}

#[canstop::service(bound_to(users))]
async fn session_cache(lifecycle: Lifecycle) {
    run_until_stopping("session_cache", &lifecycle).await;
}

#[canstop::service(after(users))]
async fn metrics(lifecycle: Lifecycle) {
    run_until_stopping("metrics", &lifecycle).await;
}

#[canstop::service(bound_to(replica), backoff = "100ms..100ms")]
async fn primary(lifecycle: Lifecycle) -> anyhow::Result<()> {
    static FAILS: AtomicBool = AtomicBool::new(true);
    if FAILS.swap(false, Ordering::Relaxed) {
        println!("primary: starts, and is about to fail");
        sleep(Duration::from_millis(200)).await;
        anyhow::bail!("lost its quorum");
    }
    run_until_stopping("primary", &lifecycle).await;
    Ok(())
}

#[canstop::service(bound_to(primary))]
async fn replica(lifecycle: Lifecycle) {
    run_until_stopping("replica", &lifecycle).await;
}

async fn run_until_stopping(name: &str, lifecycle: &Lifecycle) {
    println!("{name}: starts");
    lifecycle.stopping().await;
    println!("{name}: ends");
}

/// Restarts `users` once all services run, then stops the program.
#[canstop::service(restart = "never", after(session_cache, metrics))]
async fn operator(lifecycle: Lifecycle, users: ServiceHandle) -> anyhow::Result<()> {
    sleep(Duration::from_millis(600)).await;
    println!("operator: restarting users");
    users.restart().await?;
    sleep(Duration::from_millis(100)).await;
    println!("operator: done\n{}", canstop::status());
    lifecycle.shutdown("the end of the example");
    Ok(())
}

#[canstop::main]
async fn main() {
    tracing_subscriber::fmt().init();
    let users = canstop::start(users());
    canstop::start(operator(users));
}

//! Services that begin a new life together.
//!
//! The `session_cache` holds what it read from `users`, and is bound to it: when `users` is restarted, so
//! is the cache, after it. `metrics` only comes after `users`, and goes on. `primary` and `replica` are
//! bound to each other: when one of them fails, both begin anew. Watch it for a second; it ends by itself.
//!
//! `cargo run --example bound`

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use canstop::{Lifecycle, ServiceHandle};
use tokio::time::sleep;

#[canstop::service(manual)]
async fn users(lifecycle: Lifecycle) {
    live("users", &lifecycle).await;
}

#[canstop::service(bound_to(users))]
async fn session_cache(lifecycle: Lifecycle) {
    live("session_cache", &lifecycle).await;
}

#[canstop::service(after(users))]
async fn metrics(lifecycle: Lifecycle) {
    live("metrics", &lifecycle).await;
}

#[canstop::service(bound_to(replica), backoff = "100ms..100ms")]
async fn primary(lifecycle: Lifecycle) -> anyhow::Result<()> {
    static FAILS: AtomicBool = AtomicBool::new(true);
    if FAILS.swap(false, Ordering::Relaxed) {
        println!("primary: begins, and is about to fail");
        sleep(Duration::from_millis(200)).await;
        anyhow::bail!("lost its quorum");
    }
    live("primary", &lifecycle).await;
    Ok(())
}

#[canstop::service(bound_to(primary))]
async fn replica(lifecycle: Lifecycle) {
    live("replica", &lifecycle).await;
}

async fn live(name: &str, lifecycle: &Lifecycle) {
    println!("{name}: begins");
    lifecycle.stopping().await;
    println!("{name}: ends");
}

/// Asks for a new life of the users when everybody is there, and then for the end.
#[canstop::service(restart = "never", after(session_cache, metrics))]
async fn operator(lifecycle: Lifecycle, users: ServiceHandle) -> anyhow::Result<()> {
    sleep(Duration::from_millis(600)).await;
    println!("operator: restarting users");
    users.restart().await?;
    sleep(Duration::from_millis(100)).await;
    println!("operator: that was all\n{}", canstop::status());
    lifecycle.shutdown("the end of the example");
    Ok(())
}

#[canstop::main]
async fn main() {
    tracing_subscriber::fmt().init();
    let users = canstop::start(users());
    canstop::start(operator(users));
}

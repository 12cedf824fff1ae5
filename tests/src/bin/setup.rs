//! A `main` that ends, or is stopped, during its set-up. The registered service prints a line when it runs, which
//! must only happen after a successful set-up.

use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use canstop_tests::{READY, Signal, scenario};
use tokio::time::sleep;

#[canstop::service]
async fn registered(lifecycle: Lifecycle) {
    println!("the registered service runs");
    println!("{READY}");
    lifecycle.stopping().await;
}

#[canstop::service(manual)]
async fn manual(lifecycle: Lifecycle) {
    println!("the manual service runs");
    lifecycle.stopping().await;
}

#[canstop::main(grace = "1s")]
async fn main() -> anyhow::Result<()> {
    match scenario().as_str() {
        "slow" => slow().await,
        "asks" => asks().await,
        "asks-at-the-last-moment" => asks_at_the_last_moment().await,
        "starts-a-service" => starts_a_service().await,
        "starts-a-session" => starts_a_session().await,
        "fails" => anyhow::bail!("no database"),
        "panics" => panic!("no configuration"),
        "fine" => {}
        other => panic!("no scenario {other}"),
    }
    Ok(())
}

struct Connection;

impl Drop for Connection {
    fn drop(&mut self) {
        println!("the connection is closed");
    }
}

/// Waits for a database that never answers.
async fn slow() {
    println!("{READY}");
    let _connection = Connection;
    sleep(Duration::from_secs(60)).await;
    println!("set up");
}

async fn asks() {
    let lifecycle = Lifecycle::current();
    println!("{READY}");
    lifecycle.stopping().await;
    sleep(Duration::from_millis(200)).await;
    println!("main has cleaned up");
}

/// The signal arrives before the control thread has read that `main` listens.
async fn asks_at_the_last_moment() {
    let lifecycle = Lifecycle::current();
    Signal::Terminate.send_to_self();
    lifecycle.stopping().await;
    sleep(Duration::from_millis(10)).await;
    println!("main has cleaned up");
}

async fn starts_a_service() {
    let _handle = canstop::start(manual());
    println!("{READY}");
    sleep(Duration::from_millis(500)).await;
    println!("main has set up");
}

/// The session outlives the signal; so must the body that spawned it.
async fn starts_a_session() {
    spawn_session!(async {
        let lifecycle = Lifecycle::current();
        println!("{READY}");
        lifecycle.stopping().await;
        println!("the session is done");
    });
    sleep(Duration::from_millis(500)).await;
    println!("main has set up");
}

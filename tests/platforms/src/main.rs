//! A program with one session, for every platform. The first argument says what the session does. It prints READY
//! when it may be stopped.

use std::future::pending;
use std::thread;
use std::time::Duration;

use canstop::{Lifecycle, spawn_session};

/// A second signal ends the program before it is over.
const GRACE: Duration = Duration::from_secs(1);

#[canstop::service]
async fn server(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

#[canstop::main(grace = GRACE, worker_threads = 2)]
async fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("ends") => drop(spawn_session!(ends())),
        Some("blocks") => drop(spawn_session!(blocks())),
        Some("stays") => drop(spawn_session!(stays())),
        other => panic!("there is no scenario {other:?}"),
    }
}

async fn ends() {
    let lifecycle = Lifecycle::current();
    println!("READY");
    lifecycle.stopping().await;
    tokio::time::sleep(GRACE / 10).await;
    println!("the session is done");
}

async fn blocks() {
    println!("READY");
    loop {
        thread::sleep(Duration::from_secs(60));
    }
}

async fn stays() {
    println!("READY");
    Lifecycle::current().stopping().await;
    println!("STOPPING");
    pending().await
}

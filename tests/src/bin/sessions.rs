//! Sessions in flight when the stop comes. The first argument says of which kind; READY says that
//! they are under way. The body of `main` waits for the stop beside them.

use std::future::pending;
use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::sync::watch;
use tokio::time::sleep;

#[canstop::main(grace = "1s")]
async fn main() {
    let lifecycle = Lifecycle::current();
    // The work of those that wait for it takes 300 ms from the stop, however late the signal is.
    let (stopped, stop) = watch::channel(false);
    match scenario().as_str() {
        "hundred" => hundred(&stop),
        "endless" => endless(),
        "nested" => nested(),
        "raw" => raw(stop),
        other => panic!("no scenario {other}"),
    }
    lifecycle.stopping().await;
    let _ = stopped.send(true);
}

/// They know nothing of the stop: it is the program that waits for them.
fn hundred(stop: &watch::Receiver<bool>) {
    for number in 0..100 {
        let mut stop = stop.clone();
        spawn_session!(async move {
            let _ = stop.wait_for(|stopped| *stopped).await;
            sleep(Duration::from_millis(300)).await;
            println!("session {number} is done");
        });
    }
    println!("{READY}");
}

fn endless() {
    spawn_session!(never_ends());
}

async fn never_ends() {
    println!("{READY}");
    pending::<()>().await;
}

/// A session that spawns another one when it is told to stop.
fn nested() {
    spawn_session!(async {
        let lifecycle = Lifecycle::current();
        println!("{READY}");
        lifecycle.stopping().await;
        spawn_session!(async {
            sleep(Duration::from_millis(100)).await;
            println!("the inner session is done");
        });
        println!("the outer session is done");
    });
}

/// What `tokio::spawn` starts runs as ever, and nobody waits for it.
fn raw(mut stop: watch::Receiver<bool>) {
    tokio::spawn(async move {
        println!("{READY}");
        let _ = stop.wait_for(|stopped| *stopped).await;
        sleep(Duration::from_millis(300)).await;
        println!("the raw task is done");
    });
}

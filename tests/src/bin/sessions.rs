//! Sessions in flight at the stop request. The first argument selects their kind; READY means that they have
//! started. The body of `main` waits for the stop meanwhile.

use std::future::pending;
use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::sync::watch;
use tokio::time::sleep;

#[canstop::main(grace = "1s")]
async fn main() {
    let lifecycle = Lifecycle::current();
    // Sessions that wait for the stop take another 300 ms from then, however late the signal is.
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

/// They do not listen for the stop; the program waits for them.
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

/// A session that spawns another one when the stop is requested.
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

/// A task of a plain `tokio::spawn` runs, and the stop does not wait for it.
fn raw(mut stop: watch::Receiver<bool>) {
    tokio::spawn(async move {
        println!("{READY}");
        let _ = stop.wait_for(|stopped| *stopped).await;
        sleep(Duration::from_millis(300)).await;
        println!("the raw task is done");
    });
}

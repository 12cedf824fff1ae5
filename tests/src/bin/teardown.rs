//! A `main` that waits in `canstop::run()` and tears down after it, even if something was abandoned.

use std::future::pending;
use std::time::Duration;

use canstop::{Lifecycle, Report, spawn_session};
use canstop_tests::{READY, scenario};

#[canstop::service]
async fn server(lifecycle: Lifecycle) {
    if scenario() == "straggler" {
        spawn_session!(pending::<()>());
    }
    println!("{READY}");
    lifecycle.stopping().await;
}

async fn finish(what: &str) {
    tokio::time::sleep(Duration::from_millis(10)).await;
    println!("{what} has finished");
}

#[canstop::main(grace = "1s")]
async fn main() {
    match scenario().as_str() {
        "root-straggler" => drop(spawn_session!(pending::<()>())),
        "root-group" => drop(spawn_session!(grace = "100ms", pending::<()>())),
        _ => {}
    }
    let report: Report = canstop::run().await;
    println!("clean: {}, abandoned: {}, cause: {}", report.is_clean(), report.abandoned(), report.cause);
    match scenario().as_str() {
        "endless-teardown" => {
            println!("tearing down");
            pending::<()>().await;
        }
        "root-straggler" => spawn_session!(finish("a session of the teardown")).await.expect("it is polled to its end"),
        "root-group" => {
            // The first is waited for by its handle, the other by canstop alone.
            let session = spawn_session!(grace = "100ms", finish("a session of the teardown"));
            session.await.expect("it is polled to its end");
            spawn_session!(finish("the last session"));
        }
        "teardown-straggler" => drop(spawn_session!(pending::<()>())),
        _ => tokio::time::sleep(Duration::from_millis(10)).await,
    }
    println!("torn down");
}

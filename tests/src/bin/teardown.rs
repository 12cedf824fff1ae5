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

#[canstop::main(grace = "1s")]
async fn main() {
    let report: Report = canstop::run().await;
    println!("clean: {}, abandoned: {}, cause: {}", report.is_clean(), report.abandoned(), report.cause);
    match scenario().as_str() {
        "endless-teardown" => {
            println!("tearing down");
            pending::<()>().await;
        }
        _ => tokio::time::sleep(Duration::from_millis(10)).await,
    }
    println!("torn down");
}

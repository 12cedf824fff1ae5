//! A program that links no crate, not even itself, and starts one of its two registered services.

use std::process::ExitCode;
use std::time::Duration;

use canstop::{App, Lifecycle};
use canstop_tests::READY;

#[canstop::service]
async fn started(lifecycle: Lifecycle) {
    println!("{READY}");
    lifecycle.stopping().await;
}

#[canstop::service]
#[allow(dead_code, reason = "the probe shows that it is not started")]
async fn forgotten(_lifecycle: Lifecycle) {
    println!("the forgotten service runs");
}

fn main() -> ExitCode {
    App::new().grace(Duration::from_secs(1)).run(async {
        canstop::start(started());
        canstop::run().await;
    })
}

//! Uses a library that spawns, under a supervisor: nothing here awaits what the library does, and nothing is lost.

use canstop::Lifecycle;
use canstop_tests::READY;
use canstop_tests::shared::record;

#[canstop::service]
async fn events(lifecycle: Lifecycle) {
    for id in 1..=3 {
        drop(record(id, lifecycle.stopping()));
    }
    println!("{READY}");
    lifecycle.stopping().await;
}

#[canstop::main(grace = "2s")]
async fn main() {}

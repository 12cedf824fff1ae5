//! An event tracker: `http` depends on `writer`, so the writer starts first, stops last, and has reserved time to
//! flush even if a request of `http` never ends. That is 0.4 of the 2 s, and the writer takes half of it.

use std::future::pending;
use std::thread;
use std::time::Duration;

use canstop::{Lifecycle, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::time::sleep;

#[canstop::main(grace = "2s")]
async fn main() {}

#[canstop::service]
async fn writer(lifecycle: Lifecycle) {
    sleep(Duration::from_millis(20)).await;
    println!("the writer is ready");
    lifecycle.ready();
    lifecycle.stopping().await;
    println!("the writer is stopping");
    sleep(Duration::from_millis(200)).await;
    println!("the writer has flushed");
}

#[canstop::service(after(writer))]
async fn http(lifecycle: Lifecycle) {
    println!("http starts");
    match scenario().as_str() {
        "clean" => drop(spawn_session!(async {
            Lifecycle::current().stopping().await;
            sleep(Duration::from_millis(100)).await;
            println!("the request is answered");
        })),
        "stuck" => drop(spawn_session!(request())),
        "blocked" => drop(spawn_session!(blocked_request())),
        other => panic!("no scenario {other}"),
    }
    println!("{READY}");
    lifecycle.stopping().await;
    println!("http is stopping");
}

async fn request() {
    pending::<()>().await;
}

async fn blocked_request() {
    thread::sleep(Duration::from_secs(60));
}

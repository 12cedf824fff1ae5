//! Sessions that fail in different ways, in a program that keeps running. A session that runs after the others
//! have failed prints READY.

use std::future::pending;

use canstop::{Lifecycle, spawn_blocking_session, spawn_session};
use canstop_tests::{READY, scenario};

#[canstop::main(grace = "1s")]
async fn main() {
    let lifecycle = Lifecycle::current();
    match scenario().as_str() {
        "survived" => survived().await,
        "destructor" => destructor(),
        other => panic!("no scenario {other}"),
    }
    lifecycle.stopping().await;
    println!("main is stopping");
}

/// Their `JoinHandle`s return the same as tokio's would.
async fn survived() {
    let refused = spawn_session!("refused", async { Err::<(), _>(anyhow::anyhow!("no route").context("refused")) });
    assert!(refused.await.expect("it did not panic").is_err());
    let panics = spawn_session!(faulty());
    assert!(panics.await.expect_err("it panicked").is_panic());
    let blocking = spawn_blocking_session!(|| -> Result<(), std::fmt::Error> { Err(std::fmt::Error) });
    assert!(blocking.await.expect("it did not panic").is_err());
    spawn_session!(async { println!("{READY}") });
}

async fn faulty() {
    panic!("the session's own fault");
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("the destructor's own fault");
    }
}

fn destructor() {
    spawn_session!(holds_what_panics());
}

async fn holds_what_panics() {
    let _held = PanicsWhenDropped;
    println!("{READY}");
    pending::<()>().await;
}

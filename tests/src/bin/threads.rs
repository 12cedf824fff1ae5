//! Sessions from threads outside tokio: refused, and accepted within `lifecycle.enter()`.

use std::thread;

use canstop::{Lifecycle, spawn_session};
use canstop_tests::scenario;

#[canstop::main(grace = "1s")]
async fn main() {
    let lifecycle = Lifecycle::current();
    let enters = match scenario().as_str() {
        "stranger" => false,
        "guest" => true,
        other => panic!("no scenario {other}"),
    };
    let thread = thread::spawn(move || {
        let _guard = enters.then(|| lifecycle.enter());
        spawn_session!(async { println!("a session from a foreign thread") });
    });
    match thread.join() {
        Ok(()) => println!("the thread has spawned a session"),
        Err(_) => println!("the thread has panicked"),
    }
}

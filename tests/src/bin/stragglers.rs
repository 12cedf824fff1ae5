//! Many sessions that do not end, each from its own place and with something to drop, in a program
//! that has three seconds to wait for them.

use std::future::pending;

use canstop::{Lifecycle, spawn_session};
use canstop_tests::READY;

struct Held(u32);

impl Drop for Held {
    fn drop(&mut self) {
        println!("session {} is dropped", self.0);
    }
}

/// Spawns one session from each of these places.
macro_rules! endless {
    ($($number:literal)*) => {$(
        spawn_session!(async {
            let _held = Held($number);
            pending::<()>().await;
        });
    )*};
}

#[canstop::main(grace = "3s")]
async fn main() {
    endless!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25);
    let lifecycle = Lifecycle::current();
    println!("{READY}");
    lifecycle.stopping().await;
}

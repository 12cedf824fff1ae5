//! Many sessions that never end, each from its own site and with a value to drop, in a program with a grace of
//! three seconds.

use std::future::pending;

use canstop::{Lifecycle, spawn_session};
use canstop_tests::READY;

struct Held(u32);

impl Drop for Held {
    fn drop(&mut self) {
        println!("session {} is dropped", self.0);
    }
}

/// Spawns one session from each of these sites.
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

//! Incomplete work, and its end. `main` prints "Hello" and returns; "Goodbye" is printed by a session
//! that takes 100 ms. With `tokio::spawn` in place of `spawn_session!` the second line is never seen.
//!
//! `cargo run --example goodbye`

use std::time::Duration;

use canstop::spawn_session;

#[canstop::main]
async fn main() {
    println!("Hello");
    spawn_session!(async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        println!("Goodbye");
    });
}

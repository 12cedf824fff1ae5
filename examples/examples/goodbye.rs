//! Work that outlives `main`. `main` prints "Hello" and returns; a session prints "Goodbye" 100 ms later. With
//! `tokio::spawn` in place of `spawn_session!`, "Goodbye" is never printed.
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

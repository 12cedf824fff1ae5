#![deny(warnings)]

use std::thread;

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    thread::spawn(|| println!("lost"));
    lifecycle.stopping().await;
}

fn main() {}

#![deny(warnings)]

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    tokio::task::spawn_blocking(|| println!("lost"));
    lifecycle.stopping().await;
}

fn main() {}

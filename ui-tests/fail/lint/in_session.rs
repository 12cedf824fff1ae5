#![deny(warnings)]

use canstop::{Lifecycle, spawn_session};

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    spawn_session!(async move {
        tokio::task::spawn(async { println!("lost") });
        lifecycle.stopping().await;
    });
}

fn main() {}

#![deny(warnings)]

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    tokio::spawn(async { println!("lost") });
    lifecycle.stopping().await;
}

fn main() {}

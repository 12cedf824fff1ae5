#![deny(warnings)]

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    std::thread::sleep(std::time::Duration::from_secs(1));
    lifecycle.stopping().await;
}

fn main() {}

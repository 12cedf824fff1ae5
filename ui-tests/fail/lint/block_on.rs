#![deny(warnings)]

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    tokio::runtime::Handle::current().block_on(std::future::ready(()));
    lifecycle.stopping().await;
}

fn main() {}

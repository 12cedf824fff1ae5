#![deny(missing_docs)]
//! A library.

use canstop::Lifecycle;

#[canstop::service]
pub async fn http(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

fn main() {}

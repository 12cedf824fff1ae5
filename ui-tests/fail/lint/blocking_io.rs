#![deny(warnings)]

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle) {
    println!("{}", std::fs::read_to_string("config").unwrap_or_default());
    lifecycle.stopping().await;
}

fn main() {}

#![deny(unused_must_use)]

use canstop::Lifecycle;

#[canstop::service]
async fn http(lifecycle: Lifecycle, port: u16) {
    lifecycle.stopping().await;
    println!("{port}");
}

fn main() {
    http(80);
}

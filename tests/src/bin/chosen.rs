//! A program that starts exactly the services it names, although others are registered.

use canstop::Lifecycle;
use canstop_tests::READY;

#[canstop::service]
async fn passed_over(_lifecycle: Lifecycle) {
    println!("the service that was not chosen runs");
}

#[canstop::service(manual)]
async fn chosen(lifecycle: Lifecycle) {
    println!("{READY}");
    lifecycle.stopping().await;
}

#[canstop::main(grace = "1s", services(chosen))]
async fn main() {}

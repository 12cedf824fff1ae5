//! A library's services, for the probes that link them.

use canstop::Lifecycle;

/// Starts by itself in a program that says `link(canstop_tests)`, and in no other.
#[canstop::service]
pub async fn of_the_library(lifecycle: Lifecycle) {
    println!("the library's service runs");
    lifecycle.stopping().await;
}

/// Starts only where somebody starts it.
#[canstop::service(manual)]
pub async fn by_hand_only(lifecycle: Lifecycle) {
    println!("the library's manual service runs");
    lifecycle.stopping().await;
}

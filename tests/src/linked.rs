//! Services of a library, for the probes that link it.

use canstop::Lifecycle;

/// Starts by itself only in a program with `link(canstop_tests)`.
#[canstop::service]
pub async fn of_the_library(lifecycle: Lifecycle) {
    println!("the library's service runs");
    lifecycle.stopping().await;
}

/// Starts only where code starts it.
#[canstop::service(manual)]
pub async fn by_hand_only(lifecycle: Lifecycle) {
    println!("the library's manual service runs");
    lifecycle.stopping().await;
}

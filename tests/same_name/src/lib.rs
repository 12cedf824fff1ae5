//! A library with a service that starts only where it is linked.

use canstop::Lifecycle;

/// Prints that it runs.
#[canstop::service]
pub async fn of_the_library(_lifecycle: Lifecycle) {
    println!("the library's service runs");
}

/// Called, so that the linker keeps the library.
pub fn used() {}

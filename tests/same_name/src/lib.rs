//! A library with a service that starts only in programs that link it.

use canstop::Lifecycle;

/// Prints a line when it runs.
#[canstop::service]
pub async fn of_the_library(_lifecycle: Lifecycle) {
    println!("the library's service runs");
}

/// The binary calls this, so that the linker keeps the library.
pub fn used() {}

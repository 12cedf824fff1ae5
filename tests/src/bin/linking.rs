//! A program that links a library: what the library has registered starts by itself, as its own does.

use canstop::Lifecycle;
use canstop_tests::READY;

#[canstop::service]
async fn own(lifecycle: Lifecycle) {
    println!("the program's service runs");
    lifecycle.stopping().await;
}

#[canstop::service(manual)]
#[allow(dead_code, reason = "the probe shows that it is not started")]
async fn by_hand_only(_lifecycle: Lifecycle) {
    println!("the program's manual service runs");
}

#[canstop::service(after(own, canstop_tests::linked::of_the_library))]
async fn last(lifecycle: Lifecycle) {
    println!("{READY}");
    lifecycle.stopping().await;
}

#[canstop::main(grace = "1s", link(canstop_tests))]
async fn main() {}

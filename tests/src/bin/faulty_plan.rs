//! A plan with three faults: two services start after one that is never started, and two wait for each other.
//! None of them may run.

use canstop::{Lifecycle, Service};

#[canstop::main(grace = "1s")]
async fn main() {
    let circular = Service::new("hen", |_lifecycle| async { println!("a service runs") });
    canstop::start(circular.after("egg"));
    canstop::start(egg());
}

#[canstop::service(manual)]
async fn absent(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

#[canstop::service(after(absent))]
async fn reader(_lifecycle: Lifecycle) {
    println!("a service runs");
}

#[canstop::service(after(absent))]
async fn other_reader(_lifecycle: Lifecycle) {
    println!("a service runs");
}

fn egg() -> Service<()> {
    Service::new("egg", |_lifecycle| async { println!("a service runs") }).after("hen")
}

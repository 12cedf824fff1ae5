#![deny(warnings)]

use canstop::Lifecycle;

#[canstop::service(blocking)]
fn poll(lifecycle: Lifecycle) {
    while !lifecycle.is_stopping() {
        std::thread::sleep(std::time::Duration::from_secs(1));
        std::thread::spawn(|| println!("lost"));
    }
}

fn main() {}

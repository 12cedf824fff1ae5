//! The program has names of its own for everything, canstop's among them.
#![deny(warnings)]
#![allow(dead_code, non_camel_case_types, non_upper_case_globals)]

extern crate canstop as other;

mod std {}
mod core {}
mod canstop {}
struct Result;
struct Option;
struct Send;
struct Some;
struct Ok;
struct Service;
const SITE: u8 = 1;
fn here() -> u8 {
    SITE
}

#[other::service(crate = other)]
async fn service(lifecycle: other::Lifecycle) {
    other::spawn_session!(async move { ::core::assert_eq!(SITE, here()) });
    lifecycle.shutdown("seen");
}

#[other::main(crate = other, grace = "1s")]
async fn main() {
    other::spawn_session!(async move { here() }, site = SITE);
}

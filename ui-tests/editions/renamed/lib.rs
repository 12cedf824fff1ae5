//! canstop under another name, among items that are named like everything it uses.

#![deny(warnings)]
#![allow(
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    reason = "they are there to be in the way"
)]

use supervision::{Lifecycle, spawn_blocking_session, spawn_session};

pub mod std {}
pub mod core {}
pub mod canstop {}
pub mod tokio {}
pub mod tracing {}
pub mod inventory {}
struct Result;
struct Option;
struct Send;
struct Clone;
struct Future;
struct Some;
struct None;
struct Ok;
struct Err;
struct Box;
struct Session;
struct Service;
const SITE: u8 = 1;
fn here() -> u8 {
    SITE
}

#[supervision::service(crate = supervision, after(first), backoff = "1s..2s", limit = "1 in 1s", ready = "started")]
pub async fn service(lifecycle: Lifecycle, lifecycle_2: u8, service: u8) {
    lifecycle.stopping().await;
    let (work, session) = (lifecycle_2, service);
    spawn_session!(async move { ::core::assert_eq!(SITE, here() + work - session) }, work, session);
    spawn_blocking_session!(move || work + session + SITE);
}

#[supervision::service(crate = ::supervision, restart = "never", blocking)]
pub fn first(lifecycle: Lifecycle) {
    while !lifecycle.is_stopping() {}
}

#[supervision::main(crate = ::supervision, grace = "1s")]
pub async fn run() -> ::core::result::Result<(), ::std::io::Error> {
    supervision::start(first());
    supervision::start(service(1, 1));
    ::core::result::Result::Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use supervision::testing::Supervisor;

    #[supervision::test(crate = supervision)]
    async fn it_works_under_any_name(mut sup: Supervisor) {
        sup.start(first());
        sup.start(service(1, 1));
        assert_eq!(sup.stop().await.exit, supervision::Exit::Clean);
    }
}

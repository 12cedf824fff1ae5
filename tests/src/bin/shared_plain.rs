//! Uses the same library without a supervisor: the tasks are tokio's, so `main` awaits those that it needs.

use std::future::{pending, ready};

use canstop_tests::shared::record;

#[tokio::main]
async fn main() {
    let needed = record(1, ready(()));
    drop(record(2, pending()));
    assert_eq!(needed.await.expect("it does not panic"), 1);
}

//! Tests that do not compile. Only a build for tests sees what a `#[canstop::test]` takes, so this is
//! one of those; `tests/misuse.rs` expects an error on the line below each that begins with `//~`, and
//! no other.

struct Pool;

#[canstop::test]
//~ a test takes its `Supervisor`, not `Pool`
async fn takes_something_else(pool: Pool) {
    drop(pool);
}

#[canstop::test(grace = "1s")]
//~ a test takes its `Supervisor`, not `&Supervisor`
async fn borrows(sup: &canstop::testing::Supervisor) {
    let _ = sup;
}

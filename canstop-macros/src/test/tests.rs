//! From an attribute to its expansion.

use proc_macro2::TokenStream;

use super::attribute;
use crate::testing::{assert_fault, assert_same, faults, tokens};

fn test(arguments: &str, item: &str) -> TokenStream {
    attribute(tokens(arguments), tokens(item))
}

#[test]
fn the_body_runs_in_a_harness() {
    assert_same(
        &test("", "#[should_panic] async fn stops(mut sup: Supervisor) -> Result<(), E> { body() }"),
        r#"#[::core::prelude::v1::test] #[should_panic] fn stops() -> Result<(), E> {
            async fn stops(mut sup: Supervisor) -> Result<(), E> { body() }
            ::canstop::testing::Harness::new().run(async |supervisor| stops(
                <Supervisor as ::canstop::testing::TestParameter>::of(supervisor)).await)
        }"#,
    );
}

#[test]
fn every_option_becomes_the_call_that_it_stands_for() {
    assert_same(
        &test(r#"grace = "2s", drain_delay = "1s", crate = my::canstop"#, "async fn stops() {}"),
        r#"#[::core::prelude::v1::test] fn stops() {
            async fn stops() {}
            my::canstop::private::expansion! { my::canstop::testing::Harness::new()
                .grace(::core::time::Duration::from_nanos(2000000000))
                .drain_delay(::core::time::Duration::from_nanos(1000000000))
                .run(async |_| stops().await)
            }
        }"#,
    );
}

#[test]
fn each_misuse_is_one_fault_that_says_what_to_write() {
    for (arguments, item, part) in [
        ("", "fn stops() {}", "write `async fn stops`"),
        ("", "async fn stops(a: A, b: B) {}", "and nothing else"),
        ("", "async fn stops<T>() {}", "remove the generics"),
        ("", "async fn stops(&self) {}", "move it out of the `impl` block"),
        ("", "#[tokio::test] async fn stops() {}", "remove `#[tokio::test]`"),
        ("worker_threads = 2", "async fn stops() {}", "`worker_threads` is an option of `#[canstop::main]`"),
        ("graec = \"2s\"", "async fn stops() {}", "did you mean `grace`?"),
        ("", "struct Stops;", "goes on a function, not on a struct"),
    ] {
        let expansion = test(arguments, item);
        assert_eq!(faults(&expansion).len(), 1, "{expansion}");
        assert_fault(&expansion, part);
    }
}

//! From an attribute to its expansion.

use proc_macro2::TokenStream;

use super::{attribute, without_testing};
use crate::testing::{assert_contains, assert_fault, assert_same, faults, tokens};

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
            my::canstop::__private_0_1::expansion! { my::canstop::testing::Harness::new()
                .grace(::core::time::Duration::from_nanos(2000000000))
                .drain_delay(::core::time::Duration::from_nanos(1000000000))
                .run(async |_| stops().await)
            }
        }"#,
    );
}

#[test]
fn the_clock_may_be_real() {
    let expansion = test(r#"clock = "real", grace = GRACE"#, "async fn stops() {}");
    assert_contains(&expansion, "Harness::new().grace(GRACE).clock(::canstop::testing::Clock::Real).run(");
}

#[test]
fn a_test_may_be_stopped_and_abandoned_everywhere() {
    assert_same(
        &test(
            r#"stop = "everywhere", abandon = "everywhere", limit = 50"#,
            "async fn stops() -> Result<(), E> { body() }",
        ),
        r#"#[::core::prelude::v1::test] fn stops() {
            async fn stops() -> Result<(), E> { body() }
            ::canstop::testing::Harness::new().limit(50usize).stop_everywhere(async |_| stops().await);
            ::canstop::testing::Harness::new().limit(50usize).abandon_everywhere(async |_| stops().await);
        }"#,
    );
}

#[test]
fn without_the_feature_there_is_one_fault() {
    let expansion = without_testing(tokens(""), tokens("async fn stops(mut sup: Supervisor) -> R { body() }"));
    assert_fault(&expansion, "write `canstop = { version = \"0.1\", features = [\"testing\"] }`");
    assert!(!expansion.to_string().contains("body"), "{expansion}");
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
        ("limit = 5", "async fn stops() {}", "write `stop = \"everywhere\"`"),
        ("stop = \"everywhere\", clock = \"real\"", "async fn stops() {}", "remove `clock = \"real\"`"),
        ("stop = \"here\"", "async fn stops() {}", "takes \"everywhere\", not \"here\""),
        ("graec = \"2s\"", "async fn stops() {}", "did you mean `grace`?"),
        ("", "struct Stops;", "goes on a function, not on a struct"),
    ] {
        let expansion = test(arguments, item);
        assert_eq!(faults(&expansion).len(), 1, "{expansion}");
        assert_fault(&expansion, part);
    }
}

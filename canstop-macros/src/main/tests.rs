//! From an attribute to its expansion.

use proc_macro2::TokenStream;
use syn::ItemFn;

use super::attribute;
use crate::testing::{assert_contains, assert_fault, assert_same, begins_with, contains};
use crate::testing::{faults, mutations, tokens, unqualified};

fn main(arguments: &str, item: &str) -> TokenStream {
    attribute(tokens(arguments), tokens(item))
}

const PLAIN: &str = "async fn main() {}";

#[test]
fn the_body_runs_under_an_app() {
    assert_same(
        &main("", "#[instrument] #[doc = \"x\"] async fn main() -> Result<(), E> { body() }"),
        r#"#[doc = "x"] fn main() -> ::std::process::ExitCode {
            #[instrument] async fn main() -> Result<(), E> {
                #[allow(clippy::diverging_sub_expression)]
                let output: Result<(), E> = body();
                #[allow(unreachable_code)] {
                    use ::canstop::__private_0_1::AnyOutput as _;
                    ::canstop::__private_0_1::AtEnd(output).run().await
                }
            }
            ::canstop::App::new().link_own(::core::module_path!(), ::core::option_env!("CARGO_BIN_NAME")).run(async {
                <Result<(), E> as ::canstop::MainOutput<_>>::into_result(main().await)
            })
        }"#,
    );
}

#[test]
fn every_option_becomes_the_call_that_it_stands_for() {
    let options = r#"grace = "5s", drain_delay = "1s", flavor = "multi_thread", worker_threads = 2, link(a, r#b),
        health = "127.0.0.1:9000", status = true, metrics = false, stall = "30s", blocked = limits().blocked,
        upgrade_timeout = "2s", crate = my::canstop"#;
    assert_same(
        &main(options, PLAIN),
        r#"fn main() -> ::std::process::ExitCode { my::canstop::__private_0_1::expansion! {
            async fn main() {
                #[allow(unreachable_code)] {
                    use my::canstop::__private_0_1::AnyOutput as _;
                    my::canstop::__private_0_1::AtEnd(()).run().await
                }
            }
            use a as _;
            use r#b as _;
            my::canstop::App::new()
                .link_own(::core::module_path!(), ::core::option_env!("CARGO_BIN_NAME"))
                .link("a")
                .link("b")
                .grace(::core::time::Duration::from_nanos(5000000000))
                .drain_delay(::core::time::Duration::from_nanos(1000000000))
                .health("127.0.0.1:9000")
                .status(true)
                .metrics(false)
                .stall(::core::time::Duration::from_nanos(30000000000))
                .blocked(limits().blocked)
                .upgrade_timeout(::core::time::Duration::from_nanos(2000000000))
                .flavor(my::canstop::Flavor::MultiThread)
                .worker_threads(2)
                .run(main())
        } }"#,
    );
}

/// Asserts what becomes of the body of a `main`. `⟦value⟧` is where the services run with a value.
#[track_caller]
fn assert_body(written: &str, expected: &str) {
    let expected =
        expected.replace('⟦', "#[allow(clippy::diverging_sub_expression)] let output: Result<(), E> = ").replace(
            '⟧',
            "; #[allow(unreachable_code)] {
            use ::canstop::__private_0_1::AnyOutput as _;
            ::canstop::__private_0_1::AtEnd(output).run().await
        }",
        );
    let expansion = main("", &format!("async fn main() -> Result<(), E> {{ {written} }}"));
    assert_contains(&expansion, &format!("async fn main() -> Result<(), E> {{ {expected} }}"));
}

#[test]
fn services_run_at_each_end_of_the_body() {
    assert_body("let guard = log(); Ok(())", "let guard = log(); ⟦Ok(())⟧");
    assert_body("if a { return f(); } Ok(())", "if a { return { ⟦f()⟧ }; } ⟦Ok(())⟧");
    assert_body("loop { match a { b => return c, _ => {} } }", "⟦loop { match a { b => return { ⟦c⟧ }, _ => {} } }⟧");
    assert_body("select! { x = y => return Ok(()), }; Ok(())", "select! { x = y => return { ⟦Ok(())⟧ }, }; ⟦Ok(())⟧");
    assert_body("select! { x = y => return f::<A, B>(), }", "⟦select! { x = y => return { ⟦f::<A, B>()⟧ }, }⟧");
    assert_body("m!(a || { return b }, c)", "⟦m!(a || { return { ⟦b⟧ } }, c)⟧");
    assert_body("m! { A | B => return b }", "⟦m! { A | B => return { ⟦b⟧ } }⟧");
}

#[test]
fn services_run_after_a_body_that_gives_nothing() {
    const RUN: &str = "#[allow(unreachable_code)] {
        use ::canstop::__private_0_1::AnyOutput as _;
        ::canstop::__private_0_1::AtEnd(()).run().await
    }";
    for unit in ["", "-> ()", "-> (())"] {
        // A macro may be items.
        for body in ["f();", "select! { a }", "m!();", "#[cold] m! { a }"] {
            let expansion = main("", &format!("async fn main() {unit} {{ {body} }}"));
            assert_contains(&expansion, &format!("async fn main() {unit} {{ {body} {RUN} }}"));
        }
    }
    for body in ["m!();", "#[cold] m! { a }"] {
        let expansion = main("", &format!("async fn main() -> ((),) {{ {body} }}"));
        assert_contains(&expansion, &format!("async fn main() -> ((),) {{ {body} }}"));
    }
}

#[test]
fn a_return_of_something_else_stays() {
    for body in [
        "let f = |x| { return x; };",
        "let f = async { return x; };",
        "let f = async |y| { return x; };",
        "fn f() -> u8 { return x; }",
        "const C: u8 = const { return x; };",
        "m!(|a, b| return x);",
        "m!(|| { return x });",
        "m!(move |a| return x);",
        "m!(async { return x }, async move { return x });",
        "m!(fn f() { return x });",
        "let x = y?;",
    ] {
        assert_body(&format!("{body} Ok(())"), &format!("{body} ⟦Ok(())⟧"));
    }
}

#[test]
fn a_body_that_cannot_be_parsed_or_gives_nothing_stays() {
    for body in ["let x = ;", "", "return;", "x;", "#[cfg(a)] Ok(())"] {
        assert_body(body, body);
    }
}

#[test]
fn a_guard_beside_run_is_warned_of() {
    let expansion = main("", "async fn main() { let _guard = log(); canstop::run().await; }");
    assert_contains(&expansion, "_ = ::canstop::lints::guard_beside_run;");
    assert!(!contains(&main("", "async fn main() { let _guard = log(); }"), "lints"));
}

#[test]
fn an_option_may_be_an_expression() {
    let expansion = main("grace = config().grace, drain_delay = DELAY, flavor = flavor(), worker_threads = N", PLAIN);
    assert_contains(&expansion, ".grace(config().grace).drain_delay(DELAY).flavor(flavor()).worker_threads(N).run(");
}

#[test]
fn services_named_outright_are_all_that_start() {
    let expansion = main("services(a, b::c)", PLAIN);
    assert_contains(
        &expansion,
        "::canstop::App::new().service(::canstop::MakesService::make(a))
            .service(::canstop::MakesService::make(b::c)).run(main())",
    );
    assert_contains(&main("services()", PLAIN), "::canstop::App::new().run(main())");
}

#[test]
fn it_may_have_another_name_and_never_end() {
    let expansion = main("", "pub async fn r#loop() -> ! { x }");
    assert!(begins_with(&expansion, "pub fn r#loop() -> ::std::process::ExitCode {"), "{expansion}");
    assert_contains(&expansion, "::endless(r#loop()))");
}

#[test]
fn each_fault_is_told_once_and_main_stays() {
    for (arguments, item, part) in [
        ("graec = \"5s\"", PLAIN, "did you mean `grace`?"),
        ("flavor = \"multi\"", PLAIN, "`flavor` takes \"multi_thread\" or \"current_thread\""),
        ("worker_threads = 0", PLAIN, "must be at least 1"),
        ("worker_threads = 1, flavor = \"current_thread\"", PLAIN, "has no worker threads"),
        ("services(a, a)", PLAIN, "names `a` twice"),
        ("grace = \"1s\", drain_delay = \"2s\"", PLAIN, "`drain_delay` is a part of `grace`"),
        ("restart = \"never\"", PLAIN, "is an option of `#[canstop::service]`"),
        ("", "fn main() { x.await }", "write `async fn main`"),
        ("", "async fn main(l: Lifecycle) {}", "ask `Lifecycle::current()`"),
        ("", "async fn main(args: Vec<String>) {}", "read `std::env::args()`"),
        ("", "async fn main(&self) {}", "a free function"),
        ("", "async fn main<T>() {}", "remove the generics"),
        ("", "async fn main() where u8: Copy {}", "remove the `where` clause"),
        ("", "async unsafe fn main() {}", "remove `unsafe`"),
        ("", "#[tokio::main] async fn main() {}", "remove `#[tokio::main]`"),
        ("", "fn main() { Builder::new().build().block_on(body) }", "has one already: remove `#[tokio::main]`"),
    ] {
        let expansion = main(arguments, item);
        assert_fault(&expansion, part);
        let shape: ItemFn = syn::parse2(expansion).expect(item);
        assert!(shape.sig.ident == "main" && shape.sig.inputs.is_empty() && shape.sig.asyncness.is_none());
    }
}

#[test]
fn faults_of_options_and_of_the_function_are_told_together() {
    assert_eq!(faults(&main("graec, worker_threads = 0", "fn main(x: u8) {}")).len(), 4);
}

#[test]
fn what_is_no_function_comes_back_as_it_was() {
    let expansion = main("", "mod m { fn f() {} }");
    assert_fault(&expansion, "`#[canstop::main]` goes on a function, not on a module");
    assert!(begins_with(&expansion, "mod m { fn f() {} }"));
}

#[test]
fn an_expansion_names_nothing_that_the_user_could_have_renamed() {
    let options = r#"grace = "5s", flavor = "multi_thread", services(a), link(b)"#;
    for item in [PLAIN, "async fn main() -> ! { x }", "fn main() {}", "async fn main() -> R { x }"] {
        let found = unqualified(&main(options, item), &[&tokens(item), &tokens(options)]);
        // An attribute of the language's own means the same everywhere, and the local is mixed-site.
        let odd: Vec<_> = found
            .iter()
            .filter(|word| !["allow", "clippy", "output", "unreachable_code"].contains(&&***word))
            .collect();
        assert!(odd.is_empty(), "{odd:?}");
    }
}

#[test]
fn no_tokens_however_odd_make_it_panic_or_lose_the_item() {
    let arguments = tokens(r#"grace = "5s", services(a), link(b), worker_threads = 1"#);
    let item = tokens("#[a] pub async fn main() -> R<()> { x }");
    let inputs = mutations(&arguments).into_iter().map(|odd| (odd, item.clone()));
    let items = mutations(&item).into_iter().map(|odd| (arguments.clone(), odd));
    for (arguments, item) in inputs.chain(items) {
        let expansion = attribute(arguments, item.clone());
        match syn::parse2::<ItemFn>(item.clone()) {
            Ok(function) => {
                let shape: ItemFn = syn::parse2(expansion).expect("one function");
                assert_eq!(shape.sig.ident, function.sig.ident);
            }
            Err(_) => {
                let kept = contains(&expansion, "ExitCode") || begins_with(&expansion, &item.to_string());
                assert!(kept, "{item} became {expansion}");
            }
        }
    }
}

//! From an attribute to its expansion.

use proc_macro2::TokenStream;
use syn::{File, Item, ItemFn};

use super::attribute;
use crate::testing::{assert_contains, assert_fault, assert_same, begins_with, contains};
use crate::testing::{faults, mutations, tokens, unqualified};

fn service(arguments: &str, item: &str) -> TokenStream {
    attribute(tokens(arguments), tokens(item))
}

#[track_caller]
fn parsed(expansion: &TokenStream) -> ItemFn {
    let file: File = syn::parse2(expansion.clone()).unwrap_or_else(|error| panic!("{error}: {expansion}"));
    match <[Item; 1]>::try_from(file.items) {
        Ok([Item::Fn(function)]) => function,
        _ => panic!("not one function: {expansion}"),
    }
}

const PLAIN: &str = "async fn http(lifecycle: Lifecycle) { body() }";

#[test]
fn a_service_without_state_is_registered() {
    let item = "/// Docs.\n #[inline] pub async fn http(lifecycle: Lifecycle) -> Result<(), E> { lifecycle.ready() }";
    assert_same(
        &service("", item),
        r#"#[doc = " Docs."] pub fn http() -> ::canstop::Service<Result<(), E>> {
            ::canstop::__private_0_1::inventory::submit! {
                ::canstop::__private_0_1::Registration::new(
                    ::core::module_path!(),
                    ::core::option_env!("CARGO_BIN_NAME"),
                    || ::canstop::__private_0_1::any_service((http)()),
                )
            }
            let service = {
                #[inline] async fn http(lifecycle: Lifecycle) -> Result<(), E> { lifecycle.ready() }
                ::canstop::ServiceFunction::returning::<Result<(), E>>("http", ::core::file!(), ::core::line!())
                    .restarted(move |lifecycle| {
                        ::canstop::ServiceFunction::future(
                            http(<Lifecycle as ::canstop::LifecycleParameter>::of(lifecycle)))
                    })
            };
            ::canstop::__private_0_1::identified(service.ready(::canstop::Ready::Notify), http)
        }"#,
    );
}

#[test]
fn state_is_taken_by_the_constructor_and_cloned_for_each_run() {
    let expansion = service("", "async fn http(mut l: Lifecycle, mut pool: Pool, (a, b): (u8, u8), http: u8) {}");
    assert_same(
        &expansion,
        r#"fn http(pool: Pool, state_1: (u8, u8), state_2: u8) -> ::canstop::Service<()> {
            let service = {
                async fn http(mut l: Lifecycle, mut pool: Pool, (a, b): (u8, u8), http: u8) {}
                ::canstop::ServiceFunction::returning::<()>("http", ::core::file!(), ::core::line!())
                    .restarted(move |lifecycle| {
                        ::canstop::ServiceFunction::future(http(
                            <Lifecycle as ::canstop::LifecycleParameter>::of(lifecycle),
                            <Pool as ::canstop::RestartState>::again(&pool),
                            <(u8, u8) as ::canstop::RestartState>::again(&state_1),
                            <u8 as ::canstop::RestartState>::again(&state_2)))
                    })
            };
            ::canstop::__private_0_1::identified(service, http)
        }"#,
    );
}

#[test]
fn a_parameter_without_a_name_gets_one_that_no_other_has() {
    let expansion = service("", "async fn a(l: Lifecycle, state_1: u8, (x, y): (u8, u8)) {}");
    assert_contains(&expansion, "fn a(state_1: u8, state_1_: (u8, u8)) ->");
}

#[test]
fn a_service_that_never_restarts_is_given_its_state() {
    let expansion = service("restart = \"never\"", "async fn http(l: Lifecycle, pool: Pool) {}");
    assert_contains(&expansion, ".once(move |lifecycle| {");
    assert_contains(&expansion, "http(<Lifecycle as ::canstop::LifecycleParameter>::of(lifecycle), pool)");
}

#[test]
fn every_option_becomes_the_call_that_it_stands_for() {
    let options = r#"name = "web", restart = "always", backoff = "100ms..10s", limit = "5 in 30s", grace = "2s",
        start_timeout = "1m", ready = "started", after(a::b, c), bound_to(d), optional, cancel, manual, allow(raw_spawn),
        crate = ::my::canstop"#;
    assert_same(
        &service(options, PLAIN),
        r#"::my::canstop::__private_0_1::expansion! { fn http() -> ::my::canstop::Service<()> {
            let service = {
                async fn http(lifecycle: Lifecycle) { body() }
                ::my::canstop::ServiceFunction::returning::<()>("web", ::core::file!(), ::core::line!())
                    .restarted(move |lifecycle| {
                        ::my::canstop::ServiceFunction::future(
                            http(<Lifecycle as ::my::canstop::LifecycleParameter>::of(lifecycle)))
                    })
            };
            ::my::canstop::__private_0_1::identified(
                service
                    .restart(::my::canstop::Restart::Always)
                    .backoff(::core::time::Duration::from_nanos(100000000), ::core::time::Duration::from_nanos(10000000000))
                    .limit(5, ::core::time::Duration::from_nanos(30000000000))
                    .grace(::core::time::Duration::from_nanos(2000000000))
                    .start_timeout(::core::time::Duration::from_nanos(60000000000))
                    .ready(::my::canstop::Ready::Started)
                    .after(a::b)
                    .after(c)
                    .bound_to(d)
                    .optional()
                    .cancel(),
                http)
        } }"#,
    );
}

#[test]
fn an_option_may_be_an_expression() {
    let options = "name = NAME, restart = policy(), backoff = MIN..MAX, limit = LIMIT, grace = config().grace,
        start_timeout = TIMEOUT, start = \"retry\", ready = READY";
    assert_contains(
        &service(options, PLAIN),
        "::canstop::__private_0_1::identified({
            let ::core::ops::Range::<::core::time::Duration> { start: min, end: max } = MIN..MAX;
            let (failures, window): (::core::primitive::u32, ::core::time::Duration) = LIMIT;
            service.name(NAME).restart(policy()).backoff(min, max).limit(failures, window).grace(config().grace)
                .start_timeout(TIMEOUT).start(::canstop::Start::Retry).ready(READY)
        }, http)",
    );
}

#[test]
fn a_cancelled_service_needs_no_lifecycle_and_may_have_one() {
    let without = service("cancel", "async fn a(pool: Pool) {}");
    assert_contains(
        &without,
        "move |_| { ::canstop::ServiceFunction::future(a(<Pool as ::canstop::RestartState>::again(&pool))) }",
    );
    assert_contains(&without, "fn a(pool: Pool) -> ::canstop::Service");
    let with = service("cancel", "async fn a(l: canstop::Lifecycle, pool: Pool) {}");
    assert_contains(&with, "a(<canstop::Lifecycle as ::canstop::LifecycleParameter>::of(lifecycle), ");
    assert_contains(&with, "fn a(pool: Pool) -> ::canstop::Service");
    assert_contains(&service("cancel", "async fn a() {}"), "inventory::submit!");
}

#[test]
fn a_blocking_service_is_called_on_its_thread() {
    let called = "blocking(move |lifecycle| { a(<Lifecycle as ::canstop::LifecycleParameter>::of(lifecycle)) })";
    assert_contains(&service("blocking", "fn a(l: Lifecycle) {}"), called);
    let once = service("blocking, restart = \"never\"", "fn a(l: Lifecycle) {}");
    assert_contains(&once, ".blocking_once(move |lifecycle| { a(");
}

#[test]
fn never_is_infallible_and_a_promise_is_what_it_promises() {
    let endless = service("", "async fn a(l: Lifecycle) -> ! { loop {} }");
    assert_contains(&endless, "fn a() -> ::canstop::Service<::core::convert::Infallible> {");
    assert_contains(&endless, "future(async move { ::canstop::ServiceFunction::future(a(");
    let blocking = service("blocking", "fn a(l: Lifecycle) -> ! { loop {} }");
    assert_contains(&blocking, "returning::<::core::convert::Infallible>");
    let promised = service("", "fn a(l: Lifecycle) -> impl Send + Future<Output = Result<(), E>> { x }");
    assert_contains(&promised, "fn a() -> ::canstop::Service<Result<(), E>> {");
}

#[test]
fn generics_are_kept_on_both_and_impl_trait_has_no_one_constructor() {
    let item = "async fn a<T: Job, const N: usize>(l: Lifecycle, t: T, f: impl Fn()) where T: Send {}";
    let expansion = service("", item);
    let outer = parsed(&expansion).sig;
    assert_eq!(outer.generics.params.len(), 2);
    assert!(outer.generics.where_clause.is_some());
    assert_contains(&expansion, "a::<T, N>(");
    assert_contains(&expansion, "<T as ::core::clone::Clone>::clone(&t), <_ as ::core::clone::Clone>::clone(&f)");
    assert!(!contains(&expansion, "identified"));
    assert!(!contains(&expansion, "submit"));
    let explicit = service("", "async fn a<T: Job, const N: usize>(l: Lifecycle, t: T) {}");
    assert_contains(&explicit, "identified(service, a::<T, N>)");
}

#[test]
fn a_raw_name_is_told_without_its_mark() {
    let expansion = service("", "async fn r#loop(l: Lifecycle, r#type: u8) {}");
    assert_contains(&expansion, "fn r#loop(r#type: u8) ->");
    assert_contains(&expansion, "(\"loop\", ");
}

#[test]
fn only_a_body_that_says_ready_on_its_own_lifecycle_notifies() {
    let notifies = |item| contains(&service("", item), ".ready(::canstop::Ready::Notify)");
    assert!(notifies("async fn a(mut l: Lifecycle) { select! { _ = x => l.ready() } }"));
    assert!(!notifies("async fn a(l: Lifecycle) { other.ready() }"));
    assert!(!notifies("async fn a(_: Lifecycle) { l.ready() }"));
    let said = service("ready = \"started\"", "async fn a(l: Lifecycle) { l.ready() }");
    assert!(contains(&said, "Ready::Started") && !contains(&said, "Notify"));
}

#[test]
fn each_fault_is_told_once_and_the_constructor_stays() {
    for (arguments, item, part) in [
        ("graec = \"5s\"", PLAIN, "did you mean `grace`?"),
        ("", "fn http(l: Lifecycle) { x.await }", "write `async fn http`"),
        ("", "async fn http() {}", "a service must be able to hear a stop: take `lifecycle: Lifecycle`"),
        ("blocking", "fn http() {}", "take `lifecycle: Lifecycle` as the first parameter"),
        ("", "async fn http(&self) {}", "a service is a free function"),
        ("", "async fn http(self: Arc<Self>, l: Lifecycle) {}", "a service is a free function"),
        ("", "async fn http<T>(l: Lifecycle) {}", "nothing says what this is"),
        ("", "async fn http<'a>(l: Lifecycle, a: &'a str) {}", "cannot borrow"),
        ("", "async fn http(l: Lifecycle, a: &str) {}", "own it"),
        ("", "async fn http(l: &Lifecycle) {}", "a service owns its `Lifecycle`"),
        ("", "async fn http(l: impl Into<Lifecycle>) {}", "`lifecycle: Lifecycle`"),
        ("", "async fn http(l: Lifecycle) -> Result<(), &str> {}", "it cannot give a borrow"),
        ("", "fn http(l: Lifecycle) -> impl Future { x }", "write `Future<Output = ()>`"),
        ("blocking", "fn http(l: Lifecycle) -> impl Future<Output = ()> { x }", "gives a future: remove `blocking`"),
        ("blocking", PLAIN, "this one is `async`"),
        ("blocking, cancel", "fn http(l: Lifecycle) {}", "`cancel` drops a service at its next `.await`"),
        ("restart = \"never\", limit = \"1 in 1s\"", PLAIN, "nothing uses `limit`"),
        ("after(http)", PLAIN, "cannot come after itself"),
        ("bound_to(http)", PLAIN, "not bound to itself"),
        ("bound_to(db), restart = \"never\"", PLAIN, "`restart = \"never\"` forbids it"),
        ("", "async unsafe fn http(l: Lifecycle) {}", "remove `unsafe`"),
        ("", "async extern \"C\" fn http(l: Lifecycle) {}", "remove `extern \"C\"`"),
        ("blocking", "const fn http(l: Lifecycle) {}", "remove `const`"),
        ("", "async fn http(l: Lifecycle, args: ...) {}", "remove `...`"),
        ("", "async fn http(l: Lifecycle, #[cfg(unix)] a: u8) {}", "cannot be conditional"),
        ("", "#[canstop::service] async fn http(l: Lifecycle) {}", "one function takes one canstop attribute"),
    ] {
        let expansion = service(arguments, item);
        assert_fault(&expansion, part);
        let shape = parsed(&expansion);
        assert_eq!(shape.sig.ident, "http", "{item}");
        assert!(shape.sig.asyncness.is_none() && shape.sig.constness.is_none(), "{item}");
    }
}

#[test]
fn faults_of_options_and_of_the_function_are_told_together() {
    let expansion = service("graec = \"1s\", restart = \"x\"", "fn http(a: &str, b: &str) {}");
    assert_eq!(faults(&expansion).len(), 5, "{:#?}", faults(&expansion));
}

#[test]
fn a_faulty_service_keeps_its_callers_and_its_body() {
    let item = "pub fn http<T: Job>(l: Lifecycle, pool: T) -> Result<(), impl Error> where T: Send { body.await }";
    assert_same(
        &service("", item),
        r#"pub fn http<T: Job>(pool: T) -> ::canstop::Service<()> where T: Send {
            ::core::compile_error! {
                "a service is async: write `async fn http`, or say `#[canstop::service(blocking)]` if it holds its thread"
            }
            async fn http<T: Job>(l: Lifecycle, pool: T) -> Result<(), impl Error> where T: Send { body.await }
            _ = (&pool,);
            loop {}
        }"#,
    );
}

#[test]
fn what_is_no_function_comes_back_as_it_was() {
    let expansion = service("", "pub struct S { field: u8 }");
    assert_fault(&expansion, "goes on a function, not on a struct");
    assert!(begins_with(&expansion, "pub struct S { field: u8 }"));
    assert_eq!(faults(&service("colour", "struct S;")).len(), 2);
}

#[test]
fn an_expansion_names_nothing_that_the_user_could_have_renamed() {
    let options = r#"restart = "always", backoff = "1s..2s", limit = "1 in 1s", grace = "1s", after(w), optional"#;
    for (options, item) in [
        (options, "async fn http(l: Lifecycle, p: Pool) -> Result<(), E> { l.ready() }"),
        ("cancel", "async fn http() -> ! { x }"),
        ("blocking", "fn http(l: Lifecycle, (a, b): (u8, u8)) -> ! { x }"),
        ("graec", "fn http(l: Lifecycle, a: u8) { x }"),
    ] {
        let expansion = service(options, item);
        // An attribute of the language's own means the same everywhere.
        let locals = ["allow", "clippy", "lifecycle", "service", "state_0"].map(str::to_owned);
        let found = unqualified(&expansion, &[&tokens(item), &tokens(options)]);
        let odd: Vec<_> = found.into_iter().filter(|word| !locals.contains(word)).collect();
        assert_eq!(odd, Vec::<String>::new(), "{expansion}");
    }
}

#[test]
fn no_tokens_however_odd_make_it_panic_or_lose_the_item() {
    let arguments = tokens(r#"name = "web", after(a), restart = "never""#);
    let item = tokens("#[a] pub async fn http<T: A>(l: Lifecycle, p: &'static T, (a, _): (u8, Vec<T>)) -> R<()> { x }");
    let inputs = mutations(&arguments).into_iter().map(|odd| (odd, item.clone()));
    let items = mutations(&item).into_iter().map(|odd| (arguments.clone(), odd));
    for (arguments, item) in inputs.chain(items) {
        let expansion = attribute(arguments, item.clone());
        match syn::parse2::<ItemFn>(item.clone()) {
            Ok(function) => assert_eq!(parsed(&expansion).sig.ident, function.sig.ident),
            Err(_) => {
                let kept = contains(&expansion, "Service<") || begins_with(&expansion, &item.to_string());
                assert!(kept, "{item} became {expansion}");
            }
        }
    }
}

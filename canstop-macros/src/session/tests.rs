//! From a call to the expression that it becomes.

use proc_macro2::TokenStream;
use syn::Expr;

use super::{Work, spawn};
use crate::testing::{assert_contains, assert_fault, assert_same};
use crate::testing::{faults, mutations, tokens, unqualified};

fn future(call: &str) -> TokenStream {
    spawn(Work::Future, tokens(&format!("[::canstop] {call}")))
}

fn closure(call: &str) -> TokenStream {
    spawn(Work::Closure, tokens(&format!("[::canstop] {call}")))
}

#[test]
fn a_future_is_an_argument_as_it_was_written() {
    assert_same(
        &future("serve(socket)"),
        r"(::canstop::Session::at({
            fn here() -> &'static ::core::primitive::str { ::canstop::__private_0_1::function_of(here) }
            static SITE: ::canstop::__private_0_1::Site = ::canstop::__private_0_1::Site::new(
                ::core::option::Option::None,
                ::core::file!(),
                ::core::line!(),
                ::core::module_path!(),
                here,
                ::core::option::Option::None,
            );
            &SITE
        })).spawn(serve(socket), |work| {
            use ::canstop::__private_0_1::observe::*;
            if false {
                (&&::canstop::__private_0_1::OutputProbe::of(work)).output().is_known();
            }
            (&&&&&::canstop::__private_0_1::OutputProbe::of(work)).observer()
        })",
    );
}

#[test]
fn a_name_and_a_grace_go_to_the_site() {
    let expansion = future("\"resize\", grace = \"2s\", async move { 1 },");
    assert_contains(&expansion, "spawn(async move { 1 }, |work|");
    assert_contains(&expansion, "::core::option::Option::Some(\"resize\"), ::core::file!()");
    assert_contains(&expansion, "here, ::core::option::Option::Some(::core::time::Duration::from_nanos(2000000000)),");
}

#[test]
fn a_session_that_may_be_cancelled_says_when() {
    let expansion = future("cancel = \"500ms\", f()");
    assert_contains(&expansion, ") .cancel_after(::core::time::Duration::from_nanos(500000000));");
    assert_contains(&expansion, "here, ::core::option::Option::None,");
    assert_contains(&future("cancel = PATIENCE, f()"), ") .cancel_after(PATIENCE);");
}

#[test]
fn a_label_is_read_before_the_work_takes_it_away() {
    assert_contains(
        &future("label = format!(\"{peer}\"), serve(peer)"),
        ".spawn_labelled(&(format!(\"{peer}\")), ::canstop::__private_0_1::tracing::Span::none(), serve(peer), |work|",
    );
    assert_contains(&future("or_task, label = peer, f(), %x"), ".or_task()).spawn_labelled(&(peer), ::canstop::");
    assert_contains(&closure("\"hash\", label = path.display(), f"), ".spawn_blocking_labelled(&(path.display()), ");
}

#[test]
fn fields_are_read_before_the_work_takes_them_away() {
    let expansion = future("\"serve\", serve(peer), %peer, id = 7, a.b = ?c");
    assert_contains(
        &expansion,
        ".spawn_in(::canstop::__private_0_1::tracing::info_span!(\"serve\", peer = ::canstop::__private_0_1::displayed(&&(peer)),",
    );
    assert_contains(
        &expansion,
        ", id = ::canstop::__private_0_1::recorded(&&(7)), a.b = ::canstop::__private_0_1::debugged(&&(c)),)",
    );
    assert_contains(&expansion, ",), serve(peer), |work|");
    assert_contains(&future("f(), ?x"), "info_span!(\"session\", x = ::canstop::__private_0_1::debugged(&&(x)),)");
}

#[test]
fn a_session_may_be_at_home_elsewhere() {
    assert_contains(&future("in self.lifecycle, f(), %x"), ".within(&self.lifecycle)).spawn_in(");
    assert_contains(&future("\"name\", in l, grace = G, f()"), ".within(&l)).spawn(f(), ");
    assert_contains(&future("or_task, f()"), ".or_task()).spawn(f(), ");
    assert_contains(&closure("or_task, move || f()"), ".or_task()).spawn_blocking(move || f(), ");
    // A variable of that name is a future.
    assert_contains(&future("or_task"), "})).spawn(or_task, ");
}

#[test]
fn a_closure_goes_to_the_blocking_pool() {
    let expansion = closure("\"hash\", move || hash(x), %x");
    assert_contains(&expansion, ".spawn_blocking_in(::canstop::__private_0_1::tracing::info_span!(\"hash\", x = ");
    assert_contains(&expansion, ", move || hash(x), |work|");
    assert_contains(&expansion, "::canstop::__private_0_1::BlockingOutputProbe::of(work)");
    assert_contains(&closure("f"), ".spawn_blocking(f, |work|");
}

#[test]
fn the_work_ends_at_its_own_comma() {
    for (call, work) in [
        ("f::<A, B>(x), id = 1", "f::<A, B>(x)"),
        ("<A as B<C, D>>::run(x), id = 1", "<A as B<C, D>>::run(x)"),
        ("(|a, b| g(a, b))(1, 2), id = 1", "(|a, b| g(a, b))(1, 2)"),
        ("async { a < b, }, id = a < b", "async { a < b, }"),
        ("x == y, id = 1", "x == y"),
        ("\"a\".run(), id = 1", "\"a\".run()"),
        ("Serve { socket, peer }, id = 1", "Serve { socket, peer }"),
    ] {
        let expansion = future(call);
        assert!(faults(&expansion).is_empty(), "{call}");
        assert_contains(&expansion, &format!(", {work}, |work|"));
    }
}

#[test]
fn each_fault_is_told_once_and_a_session_stays() {
    for (call, part) in [
        ("", "a future is missing: write `spawn_session!(async move { .. })`"),
        ("\"name\"", "a future is missing after the name"),
        ("\"name\", grace = \"2s\"", "a future is missing after the name"),
        ("grace = \"2s\"", "a future is missing"),
        ("|| g()", "a session is a future, and this is a closure"),
        ("async move |x| g()", "a session is a future, and this is a closure"),
        ("\"\", f()", "the name is empty"),
        ("graec = \"2s\", f()", "unknown option `graec`; did you mean `grace`?"),
        ("grace = 2, f()", "write `grace = \"2s\"`"),
        ("grace = g, f()", "`grace` takes a duration"),
        ("in, f()", "a lifecycle is missing after `in`: write `spawn_session!(in lifecycle, ..)`"),
        ("in lifecycle", "a future is missing"),
        ("grace = \"2s\", grace = \"2s\", f()", "`grace` is given twice"),
        ("cancel, f()", "expected a field"),
        ("cancel = 1, f()", "write `cancel = \"1s\"`"),
        ("cancel = \"0s\", f()", "that is no time at all"),
        ("cancel = \"1s\", grace = \"2s\", f()", "a session has either `grace` or `cancel`"),
        ("label = \"x\", f()", "a label that never changes is a name: write \"x\" first"),
        ("label = 7, f()", "`label` takes a value that can be shown"),
        ("label =, f()", "`label` needs a value"),
        ("id = 7, f()", "a field goes after the work"),
        ("each = |a, b| a, f()", "unknown option `each`"),
        ("%peer, f()", "a field goes after the work"),
        ("grace = \"2s\", \"name\", f()", "the name goes first"),
        ("f(), \"name\"", "the name goes first"),
        ("f(), grace = \"2s\"", "`grace` goes before the work"),
        ("f(), g()", "expected a field"),
        ("f(), a + 1", "expected a field"),
        ("f(), %", "a name goes after this sign"),
        ("f(), , x", "before this comma"),
        ("f(), id =", "`id` needs a value"),
        ("f(), a.", "expected a field"),
    ] {
        let expansion = future(call);
        assert_fault(&expansion, part);
        assert!(syn::parse2::<Expr>(expansion.clone()).is_ok(), "{expansion}");
        assert_contains(&expansion, ").spawn(");
    }
    assert_fault(&closure(""), "a closure is missing: write `spawn_blocking_session!(move || { .. })`");
    assert_fault(&closure("cancel = \"1s\", f"), "`cancel` is an option of `#[canstop::service]` or `spawn_session!`");
    assert_fault(&closure("async move { g() }"), "a blocking session is a closure, and this is a future");
}

#[test]
fn an_expansion_names_nothing_that_the_user_could_have_renamed() {
    let call = "\"name\", grace = \"1s\", serve(socket), %peer";
    let locals = ["SITE", "here", "work"].map(str::to_owned);
    let found = unqualified(&future(call), &[&tokens(call)]);
    let odd: Vec<_> = found.into_iter().filter(|word| !locals.contains(word)).collect();
    assert_eq!(odd, Vec::<String>::new());
}

#[test]
fn no_tokens_however_odd_make_it_panic_or_lose_the_expression() {
    for call in ["[::canstop] \"name\", grace = \"2s\", f::<A, B>(x), %peer, id = 7, a.b = ?c", "[$] |a, b| x, y"] {
        for odd in mutations(&tokens(call)) {
            for work in [Work::Future, Work::Closure] {
                assert_contains(&spawn(work, odd.clone()), ").spawn");
            }
        }
    }
}

//! Attributes and items that are no functions.

use proc_macro2::{Delimiter, Group, TokenTree};
use quote::ToTokens as _;
use syn::Attribute;
use syn::parse::Parser as _;

use super::{Function, Sorted, foreign_attributes, is_never};
use crate::diag::Errors;
use crate::testing::tokens;

fn sorted(attributes: &str) -> (String, String) {
    let attrs = Attribute::parse_outer.parse2(tokens(attributes)).expect(attributes);
    let Sorted { outer, inner } = Sorted::new(&attrs);
    let text = |attrs: Vec<_>| attrs.into_iter().map(|attr: proc_macro2::TokenStream| attr.to_string()).collect();
    (text(outer), text(inner))
}

#[test]
fn what_speaks_of_the_item_stays_outside() {
    for outer in ["#[doc = \"x\"]", "#[cfg(unix)]", "#[allow(dead_code)]", "#[expect(dead_code)]", "#[must_use]"] {
        assert_eq!(sorted(outer), (tokens(outer).to_string(), String::new()));
    }
}

#[test]
fn everything_else_goes_inside() {
    for inner in ["#[inline]", "#[tracing::instrument(skip(x))]", "#[unsafe(no_mangle)]", "#[allow::me]"] {
        assert_eq!(sorted(inner), (String::new(), tokens(inner).to_string()));
    }
}

#[test]
fn a_cfg_attr_goes_where_its_contents_go_and_is_parted_if_they_part() {
    let (outer, inner) = sorted("#[cfg_attr(any(a, b), doc = \"x\", inline, cfg_attr(c, must_use, cold))]");
    assert_eq!(outer, tokens("#[cfg_attr(any(a, b), doc = \"x\", cfg_attr(c, must_use))]").to_string());
    assert_eq!(inner, tokens("#[cfg_attr(any(a, b), inline, cfg_attr(c, cold))]").to_string());
}

#[test]
fn an_item_of_another_kind_is_named() {
    for (item, kind) in [
        ("struct S;", "on a struct"),
        ("#[a] pub(crate) enum E {}", "on an enum"),
        ("unsafe impl Send for S {}", "on an `impl` block"),
        ("pub mod m { fn f() {} }", "on a module"),
        ("union U { a: u8 }", "on a union"),
        ("macro_rules! m { () => {} }", "on a macro"),
        ("trait T {}", "on a trait"),
        ("const X: u8 = 1;", "on a constant"),
        ("static X: u8 = 1;", "on a static"),
        ("type T = u8;", "on a type alias"),
        ("use a::b;", "on an import"),
        ("extern crate a;", "on an `extern` item"),
        ("let x = 1;", "on a statement"),
    ] {
        let error = Function::read(&tokens(item), "#[x]").err().expect(item).to_string();
        assert!(error.contains(kind), "{item}: {error}");
    }
}

#[test]
fn a_function_without_a_body_is_told_so() {
    let error = Function::read(&tokens("async fn f();"), "#[x]").err().expect("no body");
    assert!(error.to_string().contains("`f` needs a body"), "{error}");
}

fn function(code: &str) -> Function {
    Function::read(&tokens(code), "#[x]").expect(code)
}

#[test]
fn only_a_free_function_is_mended() {
    for method in ["async fn f(&self) {}", "async fn f(this: Box<Self>, ...) {}"] {
        assert!(function(method).mended(false).is_none(), "{method}");
    }
    let mended = |code, awaits| function(code).mended(awaits).map(|sig| sig.to_token_stream().to_string());
    assert_eq!(mended("const fn f() {}", false), Some("fn f ()".to_owned()));
    assert_eq!(mended("fn f() {}", true), Some("async fn f ()".to_owned()));
    assert_eq!(mended("async fn f() {}", true), Some("async fn f ()".to_owned()));
}

#[test]
fn a_body_that_blocks_on_a_future_builds_a_runtime() {
    assert!(function("fn f() { build().unwrap().block_on(body) }").builds_a_runtime());
    assert!(!function("fn f() { build() }").builds_a_runtime());
}

#[test]
fn a_never_is_seen_through_parentheses_and_groups() {
    let never = tokens("!");
    let grouped = TokenTree::Group(Group::new(Delimiter::None, never.clone()));
    for written in [never, tokens("(!)"), grouped.into()] {
        assert!(is_never(&syn::parse2(written.clone()).expect("a type")), "{written}");
    }
    assert!(!is_never(&syn::parse2(tokens("((),)")).expect("a type")));
}

#[test]
fn attributes_that_do_the_same_work_are_refused() {
    let refused = |attribute: &str| {
        let attrs = Attribute::parse_outer.parse2(tokens(attribute)).expect(attribute);
        let mut errors = Errors::new();
        foreign_attributes(&attrs, &mut errors);
        errors.finish().is_some()
    };
    for same in ["#[canstop::main]", "#[canstop::service]", "#[canstop::test]", "#[tokio::main]", "#[tokio::test]"] {
        assert!(refused(same), "{same}");
    }
    for other in ["#[canstop::other]", "#[tokio::other]", "#[other::test]", "#[other::main]", "#[test]"] {
        assert!(!refused(other), "{other}");
    }
}

#[test]
fn the_body_is_never_parsed() {
    let function = Function::read(&tokens("async fn f() { let = 1 .. fn => }"), "#[x]").ok();
    assert_eq!(function.expect("a function").body.to_string(), "{ let = 1 .. fn => }");
}

//! The attributes and macros of [canstop](https://docs.rs/canstop). Use them through that crate:
//! what they expand to names it, and only it.
//!
//! Each macro does the same three things: tokens are taken apart and not judged, `check` collects every
//! fault and makes a plan, `expand` writes the plan out. For the attributes `attribute` drives that. An expansion is a
//! handful of calls into the runtime crate: what a service does can be read there, as ordinary
//! code.
//!
//! What is deliberately absent: nothing here needs to understand the body of a function, stops at the
//! first fault, or takes the user's item away because of one.

#![expect(special_module_name, reason = "the folder `main` is named after its macro; this crate has no `main.rs`")]

mod diag;
mod tokens;
mod args;
mod function;
mod paths;
mod attribute;
mod main;
mod service;
mod session;
mod test;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod random;
#[cfg(test)]
mod testing;

use proc_macro::TokenStream;

#[doc = include_str!("../docs/main.md")]
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    main::attribute(arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/service.md")]
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    service::attribute(arguments.into(), item.into()).into()
}

#[doc = include_str!("../docs/test.md")]
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    test::attribute(arguments.into(), item.into()).into()
}

/// `canstop::test` where the feature `testing` is off.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn __test_without_testing(arguments: TokenStream, item: TokenStream) -> TokenStream {
    test::without_testing(arguments.into(), item.into()).into()
}

/// The half of `canstop::spawn_session!` that needs more than `macro_rules!`.
#[doc(hidden)]
#[proc_macro]
pub fn __spawn_session(input: TokenStream) -> TokenStream {
    session::spawn(session::Work::Future, input.into()).into()
}

/// The half of `canstop::spawn_blocking_session!` that needs more than `macro_rules!`.
#[doc(hidden)]
#[proc_macro]
pub fn __spawn_blocking_session(input: TokenStream) -> TokenStream {
    session::spawn(session::Work::Closure, input.into()).into()
}

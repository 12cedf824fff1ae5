//! The macros' own source, as a library: a proc-macro crate can export nothing but its macros.

#[path = "../../src/args/mod.rs"]
mod args;
#[path = "../../src/attribute.rs"]
mod attribute;
#[path = "../../src/diag.rs"]
mod diag;
#[path = "../../src/function/mod.rs"]
mod function;
#[path = "../../src/laws.rs"]
mod laws;
#[path = "../../src/main/mod.rs"]
mod main;
#[path = "../../src/paths.rs"]
mod paths;
#[path = "../../src/service/mod.rs"]
mod service;
#[path = "../../src/session/mod.rs"]
mod session;
#[path = "../../src/test/mod.rs"]
mod test;
#[path = "../../src/tokens.rs"]
mod tokens;

use std::str::FromStr as _;

use proc_macro2::TokenStream;

/// Holds the attributes to their laws: a line of arguments, and below it the item.
pub fn attributes(input: &str) {
    if let Some((arguments, item)) = input.split_once('\n')
        && let (Ok(arguments), Ok(item)) = (TokenStream::from_str(arguments), TokenStream::from_str(item))
    {
        laws::attributes(&arguments, &item);
    }
}

/// Holds `spawn_session!` and `spawn_blocking_session!` to theirs.
pub fn sessions(input: &str) {
    if let Ok(input) = TokenStream::from_str(input) {
        laws::sessions(&input);
    }
}

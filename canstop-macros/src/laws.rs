//! What holds of every macro, whatever tokens it is given: it does not panic, and what the user wrote
//! is still there, in the shape that its callers know. Random tokens are held to it by `random`, and a
//! fuzzer's by `fuzz/`.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::{Expr, Item, ItemFn};

use crate::session::Work;
use crate::{main, service, session, test};

/// Every attribute, with these arguments, on this item.
pub(crate) fn attributes(arguments: &TokenStream, item: &TokenStream) {
    for (attribute, made) in ATTRIBUTES {
        let expansion = attribute(arguments.clone(), item.clone());
        match syn::parse2::<ItemFn>(item.clone()) {
            Ok(written) => has_shape(&expansion, &written, made),
            // A body may be what only the user's compiler can read.
            Err(_) => {
                let kept = text(&expansion).contains(made) || text(&expansion).starts_with(&text(item));
                assert!(kept, "`{item}` became `{expansion}`");
            }
        }
    }
}

type Attribute = fn(TokenStream, TokenStream) -> TokenStream;

/// The attributes, and what each makes of a function's signature.
const ATTRIBUTES: [(Attribute, &str); 3] =
    [(service::attribute, "Service<"), (main::attribute, "ExitCode"), (test::attribute, "fn")];

/// Asserts that there is one function, of the same name, that can be called without an `.await`.
fn has_shape(expansion: &TokenStream, written: &ItemFn, made: &str) {
    let function = function(expansion).unwrap_or_else(|| panic!("not one function: {expansion}"));
    let unraw = |ident: &Ident| ident.unraw().to_string();
    assert_eq!(unraw(&function.sig.ident), unraw(&written.sig.ident), "{expansion}");
    assert!(function.sig.asyncness.is_none() && function.sig.constness.is_none(), "{expansion}");
    let signature = &function.sig;
    assert!(text(&quote::quote!(#signature)).contains(made), "{expansion}");
}

/// The one function of an expansion, or of the macro that checks `crate = path`.
fn function(expansion: &TokenStream) -> Option<ItemFn> {
    match syn::parse2(expansion.clone()).ok()? {
        Item::Fn(function) => Some(function),
        Item::Macro(wrapper) if wrapper.mac.path.segments.last()?.ident == "expansion" => function(&wrapper.mac.tokens),
        _ => None,
    }
}

/// Both function-like macros, with this input.
pub(crate) fn sessions(input: &TokenStream) {
    for work in [Work::Future, Work::Closure] {
        let expansion = session::spawn(work, quote::quote!([::canstop] #input));
        assert!(text(&expansion).contains(").spawn"), "`{input}` became `{expansion}`");
        // A well-formed input is a list of expressions, and gives one.
        if syn::parse2::<Expr>(input.clone()).is_ok() {
            assert!(syn::parse2::<Expr>(expansion.clone()).is_ok(), "`{input}` became `{expansion}`");
        }
    }
}

/// How far apart tokens are printed depends on who made them.
fn text(tokens: &TokenStream) -> String {
    tokens.to_string().split_whitespace().collect()
}

//! Which of a function's attributes stay outside, on the function that callers see, and which go
//! with the user's own signature and body.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{Attribute, Meta};

use crate::tokens;

/// What speaks of the item as its callers and readers see it. Lint levels reach inwards anyway.
const OUTER: [&str; 11] =
    ["doc", "cfg", "allow", "warn", "deny", "forbid", "expect", "must_use", "deprecated", "ignore", "should_panic"];

/// A function's attributes, each where it belongs.
#[derive(Default)]
pub(crate) struct Sorted {
    pub(crate) outer: Vec<TokenStream>,
    pub(crate) inner: Vec<TokenStream>,
}

impl Sorted {
    pub(crate) fn new(attrs: &[Attribute]) -> Self {
        let mut sorted = Self::default();
        for attr in attrs {
            let (outer, inner) = sort(attr.meta.to_token_stream());
            let whole = |meta: TokenStream| {
                let mut attr = attr.to_token_stream().into_iter().take(1).collect::<TokenStream>();
                attr.extend(quote!([#meta]));
                attr
            };
            sorted.outer.extend(outer.map(whole));
            sorted.inner.extend(inner.map(whole));
        }
        sorted
    }
}

/// Sorts one attribute. Only a `cfg_attr` can have a part on either side.
fn sort(meta: TokenStream) -> (Option<TokenStream>, Option<TokenStream>) {
    if let Some((condition, attributes)) = conditional(&meta) {
        let (outer, inner): (Vec<_>, Vec<_>) = attributes.into_iter().map(sort).unzip();
        let under = |attributes: Vec<Option<TokenStream>>| {
            let attributes: Vec<TokenStream> = attributes.into_iter().flatten().collect();
            (!attributes.is_empty()).then(|| quote!(cfg_attr(#condition, #(#attributes),*)))
        };
        return (under(outer), under(inner));
    }
    let first = meta.clone().into_iter().next();
    let single = syn::parse2::<Meta>(meta.clone()).is_ok_and(|meta| meta.path().get_ident().is_some());
    match first {
        Some(TokenTree::Ident(word)) if single && OUTER.iter().any(|outer| word == outer) => (Some(meta), None),
        _ => (None, Some(meta)),
    }
}

/// The condition and the attributes of a `cfg_attr`.
fn conditional(meta: &TokenStream) -> Option<(TokenStream, Vec<TokenStream>)> {
    let Ok(Meta::List(list)) = syn::parse2::<Meta>(meta.clone()) else {
        return None;
    };
    if !list.path.is_ident("cfg_attr") {
        return None;
    }
    let mut pieces = tokens::split(list.tokens).into_iter().map(|piece| piece.tokens.into_iter().collect());
    Some((pieces.next()?, pieces.collect()))
}

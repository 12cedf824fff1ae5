//! What generated code names.
//!
//! Everything is absolute, so that a user's own `Result`, `Some`, `std` or `canstop` changes
//! nothing, and every local is `mixed_site`, so that it neither sees nor is seen by the user's.

use std::time::Duration;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::tokens;

/// The module of the runtime crate that generated code may use. Its name has the version in it.
const DOOR: &str = concat!("__private_", env!("CARGO_PKG_VERSION_MAJOR"), "_", env!("CARGO_PKG_VERSION_MINOR"));

/// The path of the runtime crate: `::canstop`, or what `crate = path` says.
pub(crate) struct Crate {
    path: TokenStream,
    /// Whether a person wrote it, who may have been wrong.
    written: bool,
}

impl Crate {
    pub(crate) fn new(path: Option<&syn::Path>) -> Self {
        Self { path: path.map_or_else(|| quote!(::canstop), ToTokens::to_token_stream), written: path.is_some() }
    }

    /// For the function-like macros, whose `macro_rules!` half hands over its `$crate`.
    pub(crate) fn from_tokens(path: TokenStream) -> Self {
        Self { path, written: false }
    }

    /// Generated code that names this crate in many places. It goes through a macro of the crate: with a wrong
    /// `crate = path` that macro is the one thing that is not found, and there is one error.
    pub(crate) fn checked(&self, generated: TokenStream) -> TokenStream {
        if !self.written {
            return generated;
        }
        let path = &self.path;
        let door = local(DOOR, Span::call_site());
        quote!(#path::#door::expansion! { #generated })
    }

    /// A public item.
    pub(crate) fn item(&self, name: &str) -> TokenStream {
        self.item_at(name, Span::call_site())
    }

    /// A public item, named at `place`: what the compiler says of it is said there.
    pub(crate) fn item_at(&self, name: &str, place: Span) -> TokenStream {
        let krate = self.at(place);
        let name = local(name, place);
        quote_spanned!(located(place)=> #krate::#name)
    }

    /// A use of a deprecated item at the user's own word: of all warnings the only one that a macro can
    /// make on stable Rust.
    pub(crate) fn lint(&self, lint: &str, word: &Ident) -> TokenStream {
        let (lints, lint) = (self.item("lints"), Ident::new(lint, word.span()));
        quote!(_ = #lints::#lint;)
    }

    /// An item behind the only door for generated code.
    pub(crate) fn private(&self, name: &str) -> TokenStream {
        self.private_at(name, Span::call_site())
    }

    /// An item behind that door, named at `place`.
    pub(crate) fn private_at(&self, name: &str, place: Span) -> TokenStream {
        let krate = self.at(place);
        let (door, name) = (local(DOOR, place), local(name, place));
        quote_spanned!(located(place)=> #krate::#door::#name)
    }

    /// The path with each token moved to `place`. A token keeps its own hygiene, without which
    /// `$crate` would mean another crate.
    fn at(&self, place: Span) -> TokenStream {
        let tokens = self.path.clone().into_iter();
        let moved = tokens.map(|mut token| {
            token.set_span(token.span().located_at(place));
            token
        });
        moved.collect()
    }
}

/// A generated local, shown at `place` in what the compiler says.
pub(crate) fn local(name: &str, place: Span) -> Ident {
    Ident::new(name, located(place))
}

/// A word of the user's as a generated local at `place`. A raw one stays raw.
pub(crate) fn local_like(word: &Ident, place: Span) -> Ident {
    let mut word = word.clone();
    word.set_span(located(place));
    word
}

/// Generated code's hygiene, the user's place.
pub(crate) fn located(place: Span) -> Span {
    Span::mixed_site().located_at(place)
}

/// A duration as a constant expression.
pub(crate) fn duration(duration: Duration) -> TokenStream {
    // The reader refuses what does not fit, so nothing is ever saturated here.
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let nanos = Literal::u64_unsuffixed(nanos);
    quote!(::core::time::Duration::from_nanos(#nanos))
}

/// A type as a type argument. One with an `impl Trait` in it cannot be written there: the compiler infers it, and
/// reports an error where the type is written.
pub(crate) fn type_argument(ty: impl ToTokens) -> TokenStream {
    let ty = ty.to_token_stream();
    if tokens::mentions(ty.clone(), "impl") { quote_spanned!(place_of(ty)=> _) } else { ty }
}

/// The first token's place: stable Rust cannot join spans.
pub(crate) fn place_of(tokens: impl ToTokens) -> Span {
    let first = tokens.to_token_stream().into_iter().next();
    first.map_or_else(Span::call_site, |token| token.span())
}

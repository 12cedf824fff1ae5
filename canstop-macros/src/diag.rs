//! Faults, collected: one compile shows all of them.

use std::fmt::Display;
use std::thread;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Every fault found in one use of a macro.
///
/// A person who made three mistakes should read three messages, not one after each compile, so
/// nothing here returns early. Dropping the collector unread would lose a message, and is a bug
/// of this crate: it panics, as serde_derive's `Ctxt` does.
pub(crate) struct Errors {
    /// `None` once [`finish`](Self::finish) has been called.
    found: Option<Vec<syn::Error>>,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self { found: Some(Vec::new()) }
    }

    /// Records a fault on the user's own `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.found.get_or_insert_default().push(error);
    }

    /// How many faults there are so far.
    pub(crate) fn count(&self) -> usize {
        self.found.as_ref().map_or(0, Vec::len)
    }

    /// The faults as `compile_error!` invocations, or `None` if there are none.
    pub(crate) fn finish(mut self) -> Option<TokenStream> {
        let found = self.found.take().unwrap_or_default();
        (!found.is_empty()).then(|| found.iter().map(syn::Error::to_compile_error).collect())
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        // A second panic while the first unwinds would abort the compiler.
        if !thread::panicking() && self.found.is_some() {
            panic!("faults were collected and never reported");
        }
    }
}

/// Both faults in one.
pub(crate) fn joined(mut one: syn::Error, other: syn::Error) -> syn::Error {
    one.combine(other);
    one
}

#[cfg(test)]
mod tests {
    use super::Errors;
    use quote::quote;

    #[test]
    fn every_fault_becomes_one_compile_error() {
        let mut errors = Errors::new();
        errors.at(quote!(a), "first");
        errors.at(quote!(b), "second");
        let tokens = errors.finish().expect("two faults").to_string();
        assert_eq!(tokens.matches("compile_error").count(), 2);
        assert!(tokens.contains("first") && tokens.contains("second"));
    }

    #[test]
    fn no_fault_is_no_tokens() {
        assert!(Errors::new().finish().is_none());
    }

    #[test]
    #[should_panic(expected = "never reported")]
    fn a_collector_dropped_unread_panics() {
        drop(Errors::new());
    }
}

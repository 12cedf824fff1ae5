//! Options that take one of a few words.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt as _;

use super::Row;
use super::entry::Entry;
use super::suggest::{nearest, one_of};
use super::value::Value;
use crate::diag::joined;

/// Declares an option's words: the runtime's name for each, and how it is written.
macro_rules! words {
    ($($(#[$doc:meta])* $type:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $type {
            $($variant),*
        }

        impl $type {
            const WORDS: &[(&str, Self)] = &[$(($word, Self::$variant)),*];

            /// The variant of the runtime crate's type, which has the same names.
            pub(crate) fn path(self, ty: &TokenStream) -> TokenStream {
                let name = match self {
                    $(Self::$variant => stringify!($variant)),*
                };
                let variant = Ident::new(name, Span::call_site());
                quote!(#ty::#variant)
            }
        }

        impl Value for $type {
            fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
                read(entry, row, Self::WORDS)
            }
        }
    )*};
}

words! {
    /// When a service that ended is started again.
    Restart { OnFailure = "on-failure", Always = "always", Never = "never" }
    /// What makes a service count as ready.
    Ready { Notify = "notify", Started = "started" }
    /// What a failure before a service was ever ready means.
    Start { Fail = "fail", Retry = "retry" }
    /// The clock of a test.
    Clock { Paused = "paused", Real = "real" }
    /// The kind of runtime that `main` runs on.
    Flavor { MultiThread = "multi_thread", CurrentThread = "current_thread" }
}

/// A test is stopped, or abandoned, after each poll.
#[derive(Clone, Copy)]
pub(crate) struct Everywhere;

impl Value for Everywhere {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        read(entry, row, &[("everywhere", Self)])
    }
}

fn read<T: Copy>(entry: &Entry, row: &Row, words: &[(&str, T)]) -> syn::Result<T> {
    let name = row.name;
    let known = || words.iter().map(|(word, _)| *word);
    if let [TokenTree::Ident(bare)] = entry.value(row)?
        && let Some(meant) = nearest(&bare.unraw().to_string(), known())
    {
        return Err(syn::Error::new_spanned(
            bare,
            format!("`{name}` takes its word in quotes: write `{name} = \"{meant}\"`"),
        ));
    }
    let text = entry.text(row)?;
    let written = text.value();
    if let Some((_, word)) = words.iter().find(|(word, _)| *word == written) {
        return Ok(*word);
    }
    let quoted: Vec<String> = known().map(|word| format!("\"{word}\"")).collect();
    let hint = match nearest(&written, known()) {
        Some(meant) => format!("; did you mean \"{meant}\"?"),
        None => String::new(),
    };
    let choices = one_of(&quoted);
    Err(syn::Error::new_spanned(text, format!("`{name}` takes {choices}, not \"{written}\"{hint}")))
}

/// What a service may do although a lint warns of it.
pub(crate) struct Allowances {
    pub(crate) raw_spawn: bool,
    pub(crate) blocking_call: bool,
}

impl Allowances {
    const WORDS: [&str; 2] = ["raw_spawn", "blocking_call"];
}

impl Value for Allowances {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        let list = entry.list(row)?;
        if list.is_empty() {
            return Err(syn::Error::new_spanned(
                &entry.key,
                format!("`{}` names nothing: write `{}`", row.name, row.form),
            ));
        }
        if let Some(odd) = list.iter().filter_map(Self::fault).reduce(joined) {
            return Err(odd);
        }
        let names = |word: &str| list.iter().any(|written| written.to_string() == word);
        Ok(Self { raw_spawn: names("raw_spawn"), blocking_call: names("blocking_call") })
    }
}

impl Allowances {
    fn fault(written: &TokenStream) -> Option<syn::Error> {
        let word = written.to_string();
        if Self::WORDS.contains(&word.as_str()) {
            return None;
        }
        let meant = nearest(&word, Self::WORDS);
        let hint = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        Some(syn::Error::new_spanned(
            written,
            format!("`allow` takes `raw_spawn` or `blocking_call`, not `{word}`{hint}"),
        ))
    }
}

/// An option that is on or off.
pub(crate) struct Switch(pub(crate) bool);

impl Value for Switch {
    fn read(entry: &Entry, row: &Row) -> syn::Result<Self> {
        match entry.value(row)? {
            [TokenTree::Ident(word)] if word == "true" => Ok(Self(true)),
            [TokenTree::Ident(word)] if word == "false" => Ok(Self(false)),
            _ => Err(entry.ill_typed(row)),
        }
    }
}

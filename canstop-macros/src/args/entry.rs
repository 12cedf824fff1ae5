//! One option as it was written: `key`, `key = value` or `key(list)`.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::ext::IdentExt as _;

use super::Row;
use crate::tokens::{self, Piece};

/// An option, its value not yet looked at.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) form: Form,
}

pub(crate) enum Form {
    /// `manual`
    Alone,
    /// `grace = "5s"`: the tokens after the `=`, with invisible groups opened.
    Value(Vec<TokenTree>),
    /// `after(a, b)`
    List(Group),
}

impl Entry {
    /// Reads one piece between commas. A piece that is no option at all is a fault, whatever
    /// the table says.
    pub(crate) fn read(piece: &Piece, example: &str) -> syn::Result<Self> {
        let [first, rest @ ..] = piece.tokens.as_slice() else {
            return Err(syn::Error::new_spanned(
                &piece.comma,
                format!("expected an option before this comma, such as `{example}`"),
            ));
        };
        let TokenTree::Ident(key) = first else {
            return Err(syn::Error::new_spanned(first, format!("expected an option here, such as `{example}`")));
        };
        let form = match rest {
            [] => Form::Alone,
            [TokenTree::Group(list)] if list.delimiter() == Delimiter::Parenthesis => Form::List(list.clone()),
            [sign, value @ ..] if tokens::is_assignment(sign, value.first()) => Form::Value(tokens::visible(value)),
            [odd, ..] => {
                return Err(syn::Error::new_spanned(odd, format!("expected `=`, `(..)` or `,` after `{key}`")));
            }
        };
        Ok(Self { key: key.clone(), form })
    }

    pub(crate) fn name(&self) -> String {
        self.key.unraw().to_string()
    }

    /// The fault of a value that has the wrong shape, on that value.
    pub(crate) fn ill_typed(&self, row: &Row) -> syn::Error {
        let Row { name, takes, form, .. } = row;
        match &self.form {
            Form::Alone => self.without_value(row),
            Form::Value(value) if value.is_empty() => self.without_value(row),
            Form::Value(value) => {
                // The value may be followed by what a forgotten comma would have kept apart.
                let odd: TokenStream = value.iter().cloned().collect();
                syn::Error::new_spanned(odd, format!("`{name}` takes {takes}: write `{form}`"))
            }
            Form::List(list) => syn::Error::new_spanned(list, format!("`{name}` takes {takes}: write `{form}`")),
        }
    }

    fn without_value(&self, row: &Row) -> syn::Error {
        let Row { name, takes, form, .. } = row;
        syn::Error::new_spanned(&self.key, format!("`{name}` needs a value, {takes}: write `{form}`"))
    }

    /// The tokens after the `=`, or the fault that there are none.
    pub(crate) fn value(&self, row: &Row) -> syn::Result<&[TokenTree]> {
        match &self.form {
            Form::Value(value) if !value.is_empty() => Ok(value),
            _ => Err(self.ill_typed(row)),
        }
    }

    /// The string after the `=`.
    pub(crate) fn text(&self, row: &Row) -> syn::Result<syn::LitStr> {
        let value = self.value(row)?;
        if let [first, second, ..] = value
            && matches!(first, TokenTree::Literal(_))
        {
            return Err(forgotten_comma(second));
        }
        tokens::text(value).ok_or_else(|| self.ill_typed(row))
    }

    /// The tokens in the parentheses, piece by piece. An empty piece is a fault.
    pub(crate) fn list(&self, row: &Row) -> syn::Result<Vec<TokenStream>> {
        let Form::List(list) = &self.form else {
            return Err(self.ill_typed(row));
        };
        tokens::split(list.stream())
            .into_iter()
            .map(|piece| match piece.tokens.as_slice() {
                [] => Err(syn::Error::new_spanned(&piece.comma, "expected a name before this comma")),
                tokens => Ok(tokens::visible(tokens).into_iter().collect()),
            })
            .collect()
    }
}

impl ToTokens for Entry {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.key.to_tokens(tokens);
        match &self.form {
            Form::Alone => {}
            Form::Value(value) => tokens.append_all(value),
            Form::List(list) => list.to_tokens(tokens),
        }
    }
}

pub(crate) fn forgotten_comma(next: &TokenTree) -> syn::Error {
    syn::Error::new_spanned(next, "expected a comma before this")
}

//! Fields, as tracing has them: `%peer`, `?state`, `id = 7`, `a.b = %c`.
//!
//! tracing reads them. Errors that it would report in terms of its own macros are reported here, and each value is passed
//! such that an error in its type is reported once, and at the value.

use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use super::Work;
use crate::args::Options;
use crate::diag::Errors;
use crate::paths::{Crate, place_of};
use crate::tokens::{self, Piece, is_assignment, is_punct};

/// The fields for tracing, all of the form `key = value`.
pub(super) fn recorded(fields: &[TokenTree], krate: &Crate) -> TokenStream {
    let pieces = tokens::split(fields.iter().cloned().collect::<TokenStream>()).into_iter();
    pieces.map(|piece| recorded_one(&piece.tokens, krate)).collect()
}

fn recorded_one(field: &[TokenTree], krate: &Crate) -> TokenStream {
    let sign = (0..field.len()).find(|&at| is_assignment(&field[at], field.get(at + 1)));
    // `%a.b` is `a.b = %a.b`.
    let (key, value) = match sign {
        Some(sign) => (&field[..sign], &field[sign + 1..]),
        None => (field, field),
    };
    let bare = |tokens: &[TokenTree]| match tokens {
        [first, rest @ ..] if is_punct(first, '%') || is_punct(first, '?') => rest.iter().cloned().collect(),
        all => all.iter().cloned().collect::<TokenStream>(),
    };
    let form = match value {
        [first, ..] if is_punct(first, '%') => "displayed",
        [first, ..] if is_punct(first, '?') => "debugged",
        _ => "recorded",
    };
    let (key, value) = (bare(key), bare(value));
    let place = place_of(&value);
    let form = krate.private_at(form, place);
    // Twice, for what has no size, such as `name[..7]`.
    let value = quote_spanned!(place=> &&(#value));
    quote!(#key = #form(#value),)
}

pub(super) fn check(fields: &[TokenTree], work: Work, errors: &mut Errors) {
    for piece in tokens::split(fields.iter().cloned().collect::<TokenStream>()) {
        let Some(odd) = fault(&piece, work) else {
            continue;
        };
        let (token, message) = odd;
        errors.at(token, message);
    }
}

/// The unexpected token, and what to write.
fn fault(piece: &Piece, work: Work) -> Option<(TokenTree, String)> {
    const EXPECTED: &str = "expected a field, such as `%peer`, `?state` or `id = 7`";
    let spelled = work.place().spelled();
    let [first, rest @ ..] = piece.tokens.as_slice() else {
        let comma = piece.comma.clone()?;
        return Some((comma.into(), format!("{EXPECTED}, before this comma")));
    };
    let key = if is_punct(first, '%') || is_punct(first, '?') { rest } else { &piece.tokens };
    match key {
        [] => Some((first.clone(), format!("{EXPECTED}: a name goes after this sign"))),
        // A key in quotes or braces. A string alone is a name that came too late.
        [TokenTree::Literal(_), sign, ..] if is_punct(sign, '=') => None,
        [TokenTree::Group(_), sign, ..] if is_punct(sign, '=') => None,
        [TokenTree::Literal(_), ..] if tokens::text(&key[..1]).is_some() => {
            Some((key[0].clone(), format!("the name goes first: write `{spelled}({}, ..)`", key[0])))
        }
        [TokenTree::Ident(name), sign, value @ ..] if is_assignment(sign, value.first()) => {
            let name = name.to_string();
            if Options::knows(&name, work.place()) && tokens::text(value).is_some() {
                let value: TokenStream = value.iter().cloned().collect();
                let mend = format!("write `{spelled}({name} = {value}, ..)`");
                return Some((key[0].clone(), format!("`{name}` goes before the work: {mend}")));
            }
            value.is_empty().then(|| (key[0].clone(), format!("`{name}` needs a value: write `{name} = ..`")))
        }
        _ => not_a_path(key).map(|odd| (odd, EXPECTED.to_owned())),
    }
}

/// The first token that is no part of `a.b.c`, up to a `=`.
fn not_a_path(key: &[TokenTree]) -> Option<TokenTree> {
    let mut name_next = true;
    for (at, token) in key.iter().enumerate() {
        let fits = match token {
            TokenTree::Ident(_) => name_next,
            _ if !name_next && is_assignment(token, key.get(at + 1)) => return None,
            _ => !name_next && is_punct(token, '.'),
        };
        if !fits {
            return Some(token.clone());
        }
        name_next = !name_next;
    }
    // A path that ends with its dot has its error there.
    name_next.then(|| key.last().cloned()).flatten()
}

//! Small tools for token streams that are never parsed as a whole.

use proc_macro2::{Delimiter, Literal, Punct, Spacing, TokenStream, TokenTree};
use syn::Expr;
use syn::parse::{ParseStream, Parser as _};

/// The tokens between two top-level commas, and the comma after it.
#[derive(Default)]
pub(crate) struct Piece {
    pub(crate) tokens: Vec<TokenTree>,
    pub(crate) comma: Option<Punct>,
}

/// Splits at top-level commas, but not inside `<..>`. A trailing comma makes no empty piece.
pub(crate) fn split(tokens: TokenStream) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut piece = Piece::default();
    let mut depth = 0_usize;
    let mut arrow = false;
    for token in tokens {
        if let TokenTree::Punct(punct) = &token {
            match punct.as_char() {
                ',' if depth == 0 => {
                    piece.comma = Some(punct.clone());
                    pieces.push(std::mem::take(&mut piece));
                    continue;
                }
                '<' => depth += 1,
                '>' if !arrow => depth = depth.saturating_sub(1),
                _ => {}
            }
            // The `>` of `->` and `=>` closes nothing.
            arrow = matches!(punct.as_char(), '-' | '=') && punct.spacing() == Spacing::Joint;
        } else {
            arrow = false;
        }
        piece.tokens.push(token);
    }
    if !piece.tokens.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// Takes away the invisible groups that `macro_rules!` puts around what it captured.
pub(crate) fn visible(tokens: &[TokenTree]) -> Vec<TokenTree> {
    if let [TokenTree::Group(group)] = tokens
        && group.delimiter() == Delimiter::None
    {
        return visible(&group.stream().into_iter().collect::<Vec<_>>());
    }
    tokens.to_vec()
}

pub(crate) fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Whether this is the `=` of `key = value`, not the head of `==` or `=>`.
pub(crate) fn is_assignment(token: &TokenTree, next: Option<&TokenTree>) -> bool {
    let TokenTree::Punct(punct) = token else {
        return false;
    };
    let glued =
        punct.spacing() == Spacing::Joint && next.is_some_and(|next| is_punct(next, '=') || is_punct(next, '>'));
    punct.as_char() == '=' && !glued
}

/// The single literal that these tokens are.
pub(crate) fn literal(tokens: &[TokenTree]) -> Option<Literal> {
    match visible(tokens).as_slice() {
        [TokenTree::Literal(literal)] => Some(literal.clone()),
        _ => None,
    }
}

/// The string literal that these tokens are.
pub(crate) fn text(tokens: &[TokenTree]) -> Option<syn::LitStr> {
    match syn::Lit::new(literal(tokens)?) {
        syn::Lit::Str(text) => Some(text),
        _ => None,
    }
}

/// Whether the tokens contain `wanted`, as a whole word.
pub(crate) fn mentions(tokens: TokenStream, wanted: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == wanted,
        TokenTree::Group(group) => mentions(group.stream(), wanted),
        _ => false,
    })
}

/// Whether the tokens call `receiver.method(..)`, however deep in blocks and macros.
pub(crate) fn calls(tokens: TokenStream, receiver: &str, method: &str) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let here = tokens.windows(4).enumerate().any(|(at, window)| {
        let [TokenTree::Ident(on), dot, TokenTree::Ident(called), TokenTree::Group(arguments)] = window else {
            return false;
        };
        // In `other.lifecycle.ready()` the word is a field of another value.
        let is_field = at.checked_sub(1).is_some_and(|before| is_punct(&tokens[before], '.'));
        on == receiver
            && is_punct(dot, '.')
            && called == method
            && arguments.delimiter() == Delimiter::Parenthesis
            && !is_field
    });
    here || tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => calls(group.stream(), receiver, method),
        _ => false,
    })
}

/// Where the expression at the beginning ends, which is at a comma.
pub(crate) fn end_of_expression(rest: &[TokenTree]) -> usize {
    let first_comma = rest.iter().position(|token| is_punct(token, ',')).unwrap_or(rest.len());
    // Only type arguments and closure parameters have commas outside of any bracket. Without
    // them the expression is not parsed.
    let ambiguous = rest[..first_comma].iter().any(|token| is_punct(token, '<') || is_punct(token, '|'));
    if !ambiguous {
        return first_comma;
    }
    let after_expression = |input: ParseStream<'_>| {
        input.parse::<Expr>()?;
        input.parse::<TokenStream>()
    };
    let tokens: TokenStream = rest.iter().cloned().collect();
    let end = match after_expression.parse2(tokens) {
        Ok(after) => rest.len().saturating_sub(after.into_iter().count()),
        Err(_) => return first_comma,
    };
    match rest.get(end) {
        None => end,
        Some(next) if is_punct(next, ',') => end,
        Some(_) => first_comma,
    }
}

#[cfg(test)]
mod tests {
    use super::{calls, split, visible};
    use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
    use quote::quote;

    fn pieces(tokens: TokenStream) -> Vec<String> {
        let text = |tokens: Vec<TokenTree>| tokens.into_iter().collect::<TokenStream>().to_string();
        split(tokens).into_iter().map(|piece| text(piece.tokens)).collect()
    }

    #[test]
    fn commas_in_brackets_of_any_kind_do_not_split() {
        assert_eq!(pieces(quote!(a, b(c, d), e)).len(), 3);
        assert_eq!(pieces(quote!(a::<b, c>, d)).len(), 2);
        assert_eq!(pieces(quote!(a::<fn(u8) -> u8, c>, d)).len(), 2);
    }

    #[test]
    fn a_trailing_comma_makes_no_piece_but_a_doubled_one_does() {
        assert_eq!(pieces(quote!(a,)), ["a"]);
        assert_eq!(pieces(quote!(a,,b)), ["a", "", "b"]);
        assert_eq!(pieces(quote!(,)), [""]);
        assert!(pieces(TokenStream::new()).is_empty());
    }

    #[test]
    fn invisible_groups_are_seen_through() {
        let inner = TokenTree::Group(Group::new(Delimiter::None, quote!("5s")));
        let outer = TokenTree::Group(Group::new(Delimiter::None, inner.into()));
        assert_eq!(visible(&[outer])[0].to_string(), "\"5s\"");
    }

    #[test]
    fn a_call_is_found_in_blocks_and_macros_but_not_on_a_field() {
        let finds = |tokens| calls(tokens, "lifecycle", "ready");
        assert!(finds(quote!({
            if x {
                lifecycle.ready();
            }
        })));
        assert!(finds(quote!({
            select! { _ = y => lifecycle.ready() }
        })));
        assert!(!finds(quote!({
            self.lifecycle.ready();
        })));
        assert!(!finds(quote!({
            lifecycle.ready;
        })));
        assert!(!finds(quote!({
            other.ready();
        })));
    }
}

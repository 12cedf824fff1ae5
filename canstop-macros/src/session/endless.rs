//! Work whose output says nothing: it never returns, or returns nothing.
//!
//! The type of `async { loop { .. } }` is settled by the compiler only after everything else, and is
//! whatever anybody asks it to be. The probe asks whether it is a `Result`, and would make it one of
//! nobody knows what. So where the text already tells, nothing is asked.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tokens::is_punct;

/// Macros that do not return.
const DIVERGING: [&str; 4] = ["panic", "todo", "unimplemented", "unreachable"];

/// Does this block or closure end in a loop without a way out, in a statement, or in a panic?
pub(super) fn has_no_output(work: &[TokenTree]) -> bool {
    let Some(TokenTree::Group(body)) = work.last().filter(|_| is_inline(work)) else { return false };
    body.delimiter() == Delimiter::Brace && !may_leave(body.stream()) && ends_in_nothing(body.stream())
}

/// Only of a block or closure that stands here the text is known.
fn is_inline(work: &[TokenTree]) -> bool {
    let first = |token: &TokenTree| match token {
        TokenTree::Ident(word) => word == "async" || word == "move",
        token => is_punct(token, '|'),
    };
    work.first().is_some_and(first)
}

/// Is there a word that could take a value out? In an inner closure it would not, but then the probe
/// is asked as ever.
fn may_leave(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "return" || word == "break",
        TokenTree::Group(group) => may_leave(group.stream()),
        token => is_punct(&token, '?'),
    })
}

fn ends_in_nothing(body: TokenStream) -> bool {
    let tokens: Vec<_> = body.into_iter().collect();
    match tokens.as_slice() {
        [] => true,
        [.., last] if is_punct(last, ';') => true,
        [.., TokenTree::Ident(word), TokenTree::Group(_)] => word == "loop",
        [.., TokenTree::Ident(word), sign, TokenTree::Group(_)] => {
            is_punct(sign, '!') && DIVERGING.iter().any(|diverging| word == diverging)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(work: &str) -> bool {
        let tokens: Vec<_> = work.parse::<TokenStream>().unwrap().into_iter().collect();
        has_no_output(&tokens)
    }

    #[test]
    fn a_loop_a_statement_and_a_panic_have_no_output() {
        for work in [
            "async move { loop { tick().await; } }",
            "async { work().await; }",
            "async {}",
            "async { panic!(\"no\") }",
            "move || loop_of({ })  ",
            "|| { loop {} }",
        ] {
            assert_eq!(says(work), !work.contains("loop_of"), "{work}");
        }
    }

    #[test]
    fn what_may_have_one_is_asked() {
        for work in [
            "serve(socket)",
            "async { 42 }",
            "async { work().await }",
            "async { work()?; }",
            "async { loop { break Ok(()) } }",
            "async { if late { return Err(1); } }",
            "match it { _ => { loop {} } }",
        ] {
            assert!(!says(work), "{work}");
        }
    }
}

//! Work without an output to observe: it never returns, or returns nothing.
//!
//! The compiler infers the type of `async { loop { .. } }` last, and takes any type that something requires. The probe
//! would make it a `Result` of unknown types. So where the text shows that there is no output, there is no probe.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tokens::is_punct;

/// Macros that do not return.
const DIVERGING: [&str; 4] = ["panic", "todo", "unimplemented", "unreachable"];

/// Returns true if this block or closure ends in a loop without an exit, in a statement, or in a panic.
pub(super) fn has_no_output(work: &[TokenTree]) -> bool {
    let bodies = [braced_body(work), bare_body(work)];
    bodies.into_iter().flatten().any(|body| !may_leave(body.clone()) && ends_in_nothing(body))
}

/// What the braces of a block or closure hold.
fn braced_body(work: &[TokenTree]) -> Option<TokenStream> {
    match work.last()? {
        TokenTree::Group(body) if is_inline(work) && body.delimiter() == Delimiter::Brace => Some(body.stream()),
        _ => None,
    }
}

/// The body of a closure that is an expression and needs no braces, as in `|| panic!("no")`.
fn bare_body(work: &[TokenTree]) -> Option<TokenStream> {
    let closure = match work {
        [TokenTree::Ident(word), closure @ ..] if word == "move" => closure,
        closure => closure,
    };
    match closure {
        [open, close, body @ ..] if is_punct(open, '|') && is_punct(close, '|') && !body.is_empty() => {
            Some(body.iter().cloned().collect())
        }
        _ => None,
    }
}

/// Returns true if the text of the block or closure is here.
fn is_inline(work: &[TokenTree]) -> bool {
    let first = |token: &TokenTree| match token {
        TokenTree::Ident(word) => word == "async" || word == "move",
        token => is_punct(token, '|'),
    };
    work.first().is_some_and(first)
}

/// Returns true if a word could return a value. In an inner closure it would not, and then there is a probe as usual.
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
            "|| panic!(\"no\")",
            "move || loop { wait(); }",
        ] {
            assert_eq!(says(work), !work.contains("loop_of"), "{work}");
        }
    }

    #[test]
    fn what_may_have_one_is_asked() {
        for work in [
            "serve(socket)",
            "async { 42 }",
            "|| work()",
            "|| loop { break Ok(()) }",
            "|| read().unwrap_or_else(|_| panic!(\"no\"))",
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

//! What the tests of several rooms share.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use proc_macro2::{Group, TokenStream, TokenTree};

use crate::tokens::is_punct;

pub(crate) fn tokens(code: &str) -> TokenStream {
    TokenStream::from_str(code).expect(code)
}

/// The messages of all `compile_error!`s in an expansion.
pub(crate) fn faults(expansion: &TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = expansion.clone().into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            continue;
        };
        let called = at.checked_sub(2).map(|name| tokens[name].to_string());
        if called.as_deref() == Some("compile_error") {
            let message: syn::LitStr = syn::parse2(group.stream()).expect("a message");
            found.push(message.value());
        } else {
            found.extend(faults(&group.stream()));
        }
    }
    found
}

/// Asserts that there is exactly one fault, and that it says `part`.
#[track_caller]
pub(crate) fn assert_fault(expansion: &TokenStream, part: &str) {
    let found = faults(expansion);
    assert!(matches!(&found[..], [only] if only.contains(part)), "expected one fault with `{part}`, found {found:#?}");
}

/// Asserts that two pieces of code are the same tokens.
#[track_caller]
pub(crate) fn assert_same(expansion: &TokenStream, code: &str) {
    let lines = |tokens: &TokenStream| squeezed(tokens).replace(';', ";\n").replace('{', "{\n");
    assert_eq!(lines(expansion), lines(&tokens(code)));
}

/// Asserts that the expansion contains the tokens of `code`.
#[track_caller]
pub(crate) fn assert_contains(expansion: &TokenStream, code: &str) {
    assert!(contains(expansion, code), "no `{code}` in {expansion}");
}

/// `code` need not be whole: brackets may be open.
pub(crate) fn contains(expansion: &TokenStream, code: &str) -> bool {
    squeezed(expansion).contains(&without_spaces(code))
}

pub(crate) fn begins_with(expansion: &TokenStream, code: &str) -> bool {
    squeezed(expansion).starts_with(&without_spaces(code))
}

/// How far apart tokens are printed depends on who made them.
fn squeezed(tokens: &TokenStream) -> String {
    without_spaces(&tokens.to_string())
}

fn without_spaces(code: &str) -> String {
    code.split_whitespace().collect()
}

/// The words of an expansion that begin a path or stand alone, and that the user did not write.
pub(crate) fn unqualified(expansion: &TokenStream, written: &[&TokenStream]) -> BTreeSet<String> {
    const KEYWORDS: [&str; 17] = [
        "_", "as", "async", "await", "crate", "false", "fn", "for", "if", "let", "loop", "match", "move", "pub",
        "self", "static", "use",
    ];
    let mut known: BTreeSet<String> = KEYWORDS.iter().map(ToString::to_string).collect();
    for tokens in written {
        words(tokens, false, &mut known);
    }
    let mut found = BTreeSet::new();
    words(expansion, true, &mut found);
    found.difference(&known).cloned().collect()
}

fn words(tokens: &TokenStream, only_first_of_path: bool, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let before = |distance: usize, sign| at.checked_sub(distance).is_some_and(|at| is_punct(&tokens[at], sign));
        match token {
            TokenTree::Ident(word) => {
                let follows = before(1, '.') || before(1, '\'') || (before(1, ':') && before(2, ':'));
                if !(only_first_of_path && follows) {
                    found.insert(word.to_string());
                }
            }
            TokenTree::Group(group) => words(&group.stream(), only_first_of_path, found),
            _ => {}
        }
    }
}

/// Every stream that is like this one but for one token, at whatever depth: without it, with it
/// twice, with another in its place, or ending there.
pub(crate) fn mutations(stream: &TokenStream) -> Vec<TokenStream> {
    let tokens: Vec<TokenTree> = stream.clone().into_iter().collect();
    let odd = [",", "=", "\"5s\"", "'a", "<", "|", "&", "{}", "(,)", "async", "fn", "r#type", "1e9", "b\"x\"", "%"]
        .map(self::tokens);
    let mut mutated = Vec::new();
    for at in 0..tokens.len() {
        let (head, tail) = (&tokens[..at], &tokens[at + 1..]);
        let with = |middle: TokenStream| -> TokenStream {
            head.iter().cloned().chain(middle).chain(tail.iter().cloned()).collect()
        };
        mutated.push(head.iter().cloned().collect());
        mutated.push(with(TokenStream::new()));
        mutated.push(with([tokens[at].clone(), tokens[at].clone()].into_iter().collect()));
        mutated.extend(odd.iter().cloned().map(&with));
        if let TokenTree::Group(group) = &tokens[at] {
            let inner = mutations(&group.stream()).into_iter();
            mutated.extend(inner.map(|stream| with(TokenTree::Group(Group::new(group.delimiter(), stream)).into())));
        }
    }
    mutated
}

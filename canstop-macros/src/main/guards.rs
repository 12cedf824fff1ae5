//! Guards in a body that calls `run()` itself: they are dropped when the body returns, before the last
//! line of the report is written.

use proc_macro2::{Ident, TokenStream, TokenTree};

use crate::tokens::{self, is_punct};

/// The names of the guards that are alive when the body calls `run()`, and that it does not pass on.
///
/// The body is not parsed: a guard is what a `let` at the top level of the body calls so, by its name or
/// by its type.
pub(super) fn alive_in_run(body: TokenStream) -> Vec<Ident> {
    let statements: Vec<TokenTree> = body.clone().into_iter().collect();
    let Some(run) = (0..statements.len()).find(|&at| calls_run(&statements[at..])) else {
        return Vec::new();
    };
    let guards =
        (0..run).filter(|&at| is_word(&statements[at], "let")).flat_map(|at| bound_guards(&statements[at + 1..run]));
    guards.filter(|guard| !is_handed_over(body.clone(), guard)).collect()
}

/// Whether a call of `canstop::run()` begins here, within this statement.
fn calls_run(tokens: &[TokenTree]) -> bool {
    let [TokenTree::Ident(krate), first, second, run, TokenTree::Group(arguments), ..] = tokens else { return false };
    let is_path = is_punct(first, ':') && is_punct(second, ':');
    krate == "canstop" && is_path && is_word(run, "run") && arguments.stream().is_empty()
}

/// The guards that a `let` binds, of the tokens after the word.
fn bound_guards(tokens: &[TokenTree]) -> Vec<Ident> {
    let end = (0..tokens.len()).find(|&at| tokens::is_assignment(&tokens[at], tokens.get(at + 1)));
    let Some(written) = end.map(|end| &tokens[..end]) else { return Vec::new() };
    let colon = written.iter().position(|token| is_punct(token, ':')).unwrap_or(written.len());
    let (pattern, ty) = written.split_at(colon);
    let is_guard_type =
        ty.iter().any(|token| matches!(token, TokenTree::Ident(word) if word.to_string().ends_with("Guard")));
    let mut names = Vec::new();
    words(pattern.iter().cloned().collect(), &mut names);
    names.retain(|name| name != "mut" && name != "ref" && (is_guard_type || is_guard_name(name)));
    names
}

fn is_guard_name(name: &Ident) -> bool {
    let name = name.to_string();
    let name = name.trim_start_matches('_');
    name.starts_with("guard") || name.ends_with("_guard")
}

/// Whether it goes to `drop(guard)`, `keep(guard)` or any other call by value.
fn is_handed_over(body: TokenStream, guard: &Ident) -> bool {
    body.into_iter().any(|token| {
        let TokenTree::Group(group) = token else { return false };
        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
        matches!(&inner[..], [TokenTree::Ident(only)] if only == guard) || is_handed_over(group.stream(), guard)
    })
}

fn words(tokens: TokenStream, found: &mut Vec<Ident>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => found.push(word),
            TokenTree::Group(group) => words(group.stream(), found),
            _ => {}
        }
    }
}

fn is_word(token: &TokenTree, wanted: &str) -> bool {
    matches!(token, TokenTree::Ident(word) if word == wanted)
}

#[cfg(test)]
mod tests {
    use super::alive_in_run;
    use crate::testing::tokens;

    fn found(body: &str) -> Vec<String> {
        alive_in_run(tokens(body)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn guards_are_found_by_name_and_by_type() {
        for (body, guard) in [
            ("let _guard = log(); canstop::run().await;", "_guard"),
            ("let (writer, _guard) = non_blocking(file); canstop::run().await; Ok(())", "_guard"),
            ("let guard = log(); let report = canstop::run().await;", "guard"),
            ("let log_guard = log(); canstop::run().await;", "log_guard"),
            ("let _log: WorkerGuard = log(); canstop::run().await;", "_log"),
            ("let _log: tracing_appender::non_blocking::WorkerGuard = log(); canstop::run().await;", "_log"),
        ] {
            assert_eq!(found(body), [guard], "{body}");
        }
    }

    #[test]
    fn guards_that_are_gone_or_given_away_or_not_beside_run_are_left_alone() {
        for body in [
            "let _guard = log(); Ok(())",
            "canstop::run().await; let _guard = teardown();",
            "let guard = lock(); drop(guard); canstop::run().await;",
            "let guard = log(); canstop::keep(guard); canstop::run().await;",
            "{ let _guard = lock(); } canstop::run().await;",
            "let pool = connect(); canstop::run().await;",
            "let safeguard = 1; canstop::run().await;",
        ] {
            assert_eq!(found(body), [""; 0], "{body}");
        }
    }
}

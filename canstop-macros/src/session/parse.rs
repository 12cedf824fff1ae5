//! Splits the arguments into a name, options, the work and fields.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::LitStr;

use super::Work;
use crate::args::{Entry, Options};
use crate::diag::Errors;
use crate::paths::Crate;
use crate::tokens::{self, Piece, end_of_expression, is_assignment, is_punct};

/// The scope of a session, if that is not the current one, or may be none.
pub(super) enum Home {
    /// `in lifecycle`
    Lifecycle(TokenStream),
    /// `or_task`
    OrTask,
}

/// What the user wrote.
pub(super) struct Call {
    pub(super) krate: Crate,
    pub(super) name: Option<LitStr>,
    pub(super) options: Options,
    pub(super) home: Option<Home>,
    /// The future or closure: the user's tokens, not parsed more than it takes to find their end.
    pub(super) work: Vec<TokenTree>,
    pub(super) fields: Vec<TokenTree>,
    /// The last token: the place of an error about something that is missing.
    pub(super) last: Option<TokenTree>,
}

pub(super) fn parse(work: Work, input: TokenStream, errors: &mut Errors) -> Call {
    let (krate, mut rest) = crate_path(input);
    let last = rest.last().cloned();
    let name = take_name(&mut rest);
    let home = take_home(work, &mut rest, errors);
    let options = take_options(work, &mut rest, errors);
    let (work, fields) = take_work(rest);
    Call { krate, name, options, home, work, fields, last }
}

/// The bracketed path with which the `macro_rules!` half begins.
fn crate_path(input: TokenStream) -> (Crate, Vec<TokenTree>) {
    let mut tokens: Vec<TokenTree> = input.into_iter().collect();
    match tokens.first() {
        Some(TokenTree::Group(path)) if path.delimiter() == Delimiter::Bracket => {
            let krate = Crate::from_tokens(path.stream());
            tokens.remove(0);
            (krate, tokens)
        }
        _ => (Crate::new(None), tokens),
    }
}

/// A string before a comma, or alone, is a name.
fn take_name(rest: &mut Vec<TokenTree>) -> Option<LitStr> {
    let name = tokens::text(rest.get(..1)?)?;
    match rest.get(1) {
        None => rest.clear(),
        Some(next) if is_punct(next, ',') => drop(rest.drain(..2)),
        Some(_) => return None,
    }
    Some(name)
}

/// `in lifecycle` or `or_task`, before a comma.
fn take_home(work: Work, rest: &mut Vec<TokenTree>, errors: &mut Errors) -> Option<Home> {
    let TokenTree::Ident(word) = rest.first()?.clone() else { return None };
    let end = end_of_expression(rest);
    let home = match word.to_string().as_str() {
        "in" => {
            let lifecycle: TokenStream = rest[1..end].iter().cloned().collect();
            if lifecycle.is_empty() {
                let spelled = work.place().spelled();
                errors.at(&word, format!("a lifecycle is missing after `in`: write `{spelled}(in lifecycle, ..)`"));
            }
            (!lifecycle.is_empty()).then_some(Home::Lifecycle(lifecycle))
        }
        "or_task" if end == 1 && rest.len() > 1 => Some(Home::OrTask),
        _ => return None,
    };
    rest.drain(..rest.len().min(end + 1));
    home
}

/// Everything of the form `word = ..` before the work is an option: an assignment gives `()`,
/// which is no work, so nothing else can be meant.
fn take_options(work: Work, rest: &mut Vec<TokenTree>, errors: &mut Errors) -> Options {
    let mut options = Options::default();
    while let [TokenTree::Ident(_), sign, ..] = rest.as_slice()
        && is_assignment(sign, rest.get(2))
    {
        let end = 2 + end_of_expression(&rest[2..]);
        let piece = Piece { tokens: rest.drain(..end).collect(), comma: None };
        if !rest.is_empty() {
            rest.remove(0);
        }
        match Entry::read(&piece, r#"grace = "2s""#) {
            Ok(entry) => options.set(&entry, work.place(), errors),
            Err(error) => errors.push(error),
        }
    }
    options
}

/// Splits at the comma after the work.
fn take_work(mut rest: Vec<TokenTree>) -> (Vec<TokenTree>, Vec<TokenTree>) {
    let end = end_of_expression(&rest);
    let fields = rest.split_off(end);
    (rest, fields.into_iter().skip(1).collect())
}

//! Checks a call, and prepares everything that the expansion needs.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use super::parse::{Call, Home};
use super::{Work, endless, fields};
use crate::args::{Given, Options, Positive, Setting};
use crate::diag::Errors;
use crate::paths::{Crate, duration};
use crate::tokens::{self, is_punct};

/// A checked session. After an error it is one that compiles, so that no other error follows.
pub(super) struct Plan {
    pub(super) work: Work,
    pub(super) krate: Crate,
    pub(super) name: Option<String>,
    pub(super) grace: Option<TokenStream>,
    /// How long after the stop request it may be dropped.
    pub(super) cancel: Option<TokenStream>,
    /// What distinguishes it from the others of its site.
    pub(super) label: Option<TokenStream>,
    /// Where it is spawned, if not in the current scope.
    pub(super) home: Option<Home>,
    /// The user's future or closure.
    pub(super) spawned: TokenStream,
    /// Its text shows that there is no output to observe.
    pub(super) has_no_output: bool,
    pub(super) fields: Vec<TokenTree>,
}

pub(super) fn check(work: Work, call: Call, errors: &mut Errors) -> Plan {
    let faulty = spawned(work, &call, errors);
    let mut fields = call.fields;
    if faulty {
        fields.clear();
    } else {
        let before = errors.count();
        fields::check(&fields, work, errors);
        // tracing would report the same again, at length.
        if errors.count() > before {
            fields.clear();
        }
    }
    if let Some(name) = &call.name
        && name.value().trim().is_empty()
    {
        errors.at(name, "the name is empty: write for example `\"resize image\"`");
    }
    let Options { grace, cancel_after, label, .. } = call.options;
    if let (Some(_), Some(cancel)) = (&grace, &cancel_after) {
        errors.at(&cancel.key, "a session has either `grace` or `cancel`: remove the one that you do not mean");
    }
    let expression = |given: Given<Setting<Positive>>| given.value.expression(|time| duration(time.0));
    Plan {
        work,
        krate: call.krate,
        name: call.name.map(|name| name.value()),
        grace: grace.map(expression),
        cancel: cancel_after.map(expression),
        label: label.map(|given| given.value.0),
        home: call.home,
        has_no_output: endless::has_no_output(&call.work),
        spawned: if faulty { placeholder(work) } else { call.work.into_iter().collect() },
        fields,
    }
}

/// Returns true, and adds an error, if there is nothing that can be spawned.
fn spawned(work: Work, call: &Call, errors: &mut Errors) -> bool {
    let spelled = work.place().spelled();
    let (noun, example) = match work {
        Work::Future => ("a future", "async move { .. }"),
        Work::Closure => ("a closure", "move || { .. }"),
    };
    match call.work.as_slice() {
        [] => {
            match &call.name {
                Some(name) if call.fields.is_empty() => errors.at(
                    name,
                    format!("{noun} is missing after the name: write `{spelled}({}, {example})`", name.token()),
                ),
                _ => errors.at(&call.last, format!("{noun} is missing: write `{spelled}({example})`")),
            }
            true
        }
        [first, ..] if is_punct(first, '%') || is_punct(first, '?') => {
            errors.at(first, format!("a field goes after the work: write `{spelled}({example}, %field)`"));
            true
        }
        written if tokens::text(written).is_some() => {
            errors.at(&written[0], format!("the name goes first: write `{spelled}({}, ..)`", written[0]));
            true
        }
        [first, ..] if work == Work::Future && is_closure(&call.work) => {
            errors.at(
                first,
                format!(
                    "a session is a future, and this is a closure: write `{spelled}(async move {{ .. }})`, or \
                     `spawn_blocking_session!(..)` if it blocks"
                ),
            );
            true
        }
        [TokenTree::Ident(first), ..] if work == Work::Closure && first == "async" => {
            errors.at(
                first,
                format!(
                    "a blocking session is a closure, and this is a future: write `{spelled}(move || {{ .. }})`, or \
                     `spawn_session!(..)` if it awaits"
                ),
            );
            true
        }
        _ => false,
    }
}

/// Returns true if the work begins as a closure, `async` or not.
fn is_closure(work: &[TokenTree]) -> bool {
    let is_qualifier =
        |token: &&TokenTree| matches!(token, TokenTree::Ident(word) if word == "async" || word == "move");
    work.iter().find(|token| !is_qualifier(token)).is_some_and(|first| is_punct(first, '|'))
}

fn placeholder(work: Work) -> TokenStream {
    match work {
        Work::Future => quote!(::core::future::pending::<()>()),
        Work::Closure => quote!(|| ()),
    }
}

//! The expression that a macro call becomes.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};

use super::check::Plan;
use super::parse::Home;
use super::{Work, fields};
use crate::paths::local;
use crate::tokens;

/// `(Session::at(&SITE)).spawn(work, |work| observer)`
///
/// The user's expression is one argument, as it was written, so errors in it are reported there. None of the generated
/// items is in its scope.
///
/// The compiler checks last whether an `async` block is `Send` and what a closure borrows, and then reports the call:
/// so the call has the span of the work, and not that of a macro.
pub(super) fn session(plan: &Plan, faults: Option<&TokenStream>) -> TokenStream {
    let (spawn, spawn_in, spawn_labelled) = match plan.work {
        Work::Future => ("spawn", "spawn_in", "spawn_labelled"),
        Work::Closure => ("spawn_blocking", "spawn_blocking_in", "spawn_blocking_labelled"),
    };
    let place = place(&plan.spawned);
    let session = parenthesized(made(plan), place);
    let session = match &plan.home {
        None => session.to_token_stream(),
        Some(Home::Lifecycle(lifecycle)) => quote!((#session.within(&#lifecycle))),
        Some(Home::OrTask) => quote!((#session.or_task())),
    };
    let (spawned, observer) = (&plan.spawned, observer(plan, place));
    // The label and the fields are evaluated first: the work may move what they show.
    let (spawn, arguments) = match (&plan.label, span(plan)) {
        (None, None) => (spawn, quote!(#spawned, #observer)),
        (None, Some(span)) => (spawn_in, quote!(#span, #spawned, #observer)),
        (Some(label), span) => {
            let tracing = plan.krate.private("tracing");
            let span = span.unwrap_or_else(|| quote!(#tracing::Span::none()));
            (spawn_labelled, quote!(&(#label), #span, #spawned, #observer))
        }
    };
    let (spawn, arguments) = (Ident::new(spawn, place), parenthesized(arguments, place));
    let call = quote!(#session.#spawn #arguments);
    match faults {
        None => call,
        Some(faults) => quote!({ #faults #call }),
    }
}

/// The span of a token in the work, also within what a macro of the user's captured. Preferably not that of a name, so
/// that an editor finds only the user's item under a name.
fn place(spawned: &TokenStream) -> Span {
    let tokens = tokens::visible(&spawned.clone().into_iter().collect::<Vec<_>>());
    let is_name = |word: &Ident| word != "async" && word != "move";
    let bracket = tokens.iter().find_map(|token| match token {
        TokenTree::Group(group) => Some(group.span_open()),
        _ => None,
    });
    match tokens.first() {
        Some(TokenTree::Ident(word)) if is_name(word) => bracket.unwrap_or(word.span()),
        Some(TokenTree::Group(group)) => group.span_open(),
        Some(token) => token.span(),
        None => Span::call_site(),
    }
}

fn parenthesized(stream: TokenStream, place: Span) -> Group {
    let mut group = Group::new(Delimiter::Parenthesis, stream);
    group.set_span(place);
    group
}

/// A closure that takes the work and returns the observer for the type of its output.
fn observer(plan: &Plan, place: Span) -> TokenStream {
    let krate = &plan.krate;
    if plan.has_no_output {
        let anything = krate.private("NotAResult");
        return quote!(|_| #anything);
    }
    let probe = krate.private(match plan.work {
        Work::Future => "OutputProbe",
        Work::Closure => "BlockingOutputProbe",
    });
    let observe = krate.private("observe");
    let work = local("work", Span::call_site());
    // If the type of the output is not known, the compiler reports that at the work.
    let known = quote_spanned!(place=> (&&#probe::of(#work)).output().is_known());
    quote!(|#work| {
        use #observe::*;
        if false {
            #known;
        }
        (&&&&&#probe::of(#work)).observer()
    })
}

/// The site, one for all sessions from here. The nested function gives the path of the function around it.
fn made(plan: &Plan) -> TokenStream {
    let (session, site) = (plan.krate.item("Session"), plan.krate.private("Site"));
    let function_of = plan.krate.private("function_of");
    let name = optional(plan.name.as_ref().map(|name| quote!(#name)));
    let grace = optional(plan.grace.clone());
    let cancel_after = plan.cancel.as_ref().map(|cancel| quote!(.cancel_after(#cancel)));
    quote! { #session::at({
        fn here() -> &'static ::core::primitive::str {
            #function_of(here)
        }
        static SITE: #site = #site::new(
            #name,
            ::core::file!(),
            ::core::line!(),
            ::core::module_path!(),
            here,
            #grace,
        ) #cancel_after;
        &SITE
    }) }
}

fn optional(value: Option<TokenStream>) -> TokenStream {
    match value {
        None => quote!(::core::option::Option::None),
        Some(value) => quote!(::core::option::Option::Some(#value)),
    }
}

/// The span that has the fields.
fn span(plan: &Plan) -> Option<TokenStream> {
    if plan.fields.is_empty() {
        return None;
    }
    let fields = fields::recorded(&plan.fields, &plan.krate);
    let tracing = plan.krate.private("tracing");
    let name = plan.name.as_deref().unwrap_or("session");
    Some(quote!(#tracing::info_span!(#name, #fields)))
}

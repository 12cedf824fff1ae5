//! The expression that a macro call becomes.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use super::check::Plan;
use super::{Work, fields};
use crate::paths::{duration, local};

/// `match Session::at(&SITE) { session => session.spawn(work, |work| observer) }`
///
/// The user's expression is one argument, as it was written: what is wrong with it is told there. It
/// sees none of the items that are generated.
pub(super) fn session(plan: &Plan, faults: Option<&TokenStream>) -> TokenStream {
    let (spawn, spawn_in) = match plan.work {
        Work::Future => ("spawn", "spawn_in"),
        Work::Closure => ("spawn_blocking", "spawn_blocking_in"),
    };
    let place = place(&plan.spawned);
    let (made, session) = (made(plan), Ident::new("__canstop_session", place));
    let (spawned, observer) = (&plan.spawned, observer(plan));
    let call = match span(plan) {
        None => {
            let spawn = Ident::new(spawn, place);
            quote_spanned!(place=> #session.#spawn(#spawned, #observer))
        }
        // The fields are read first: the work may take away what they show.
        Some(span) => {
            let spawn_in = Ident::new(spawn_in, place);
            quote_spanned!(place=> #session.#spawn_in(#span, #spawned, #observer))
        }
    };
    let call = quote!(match #made { #session => #call });
    match faults {
        None => call,
        Some(faults) => quote!({ #faults #call }),
    }
}

/// Where the call stands, as far as the compiler knows. Of most work it speaks where the work is. But
/// whether an `async` block is `Send`, and what a closure borrows, it finds out last, and then it speaks
/// of the call: that must be at the work's first sign, and of no macro. It is no name: whatever is
/// found under a name must be the user's.
fn place(spawned: &TokenStream) -> Span {
    match spawned.clone().into_iter().next() {
        Some(TokenTree::Ident(word)) if word == "async" || word == "move" => word.span(),
        Some(TokenTree::Punct(sign)) if sign.as_char() == '|' => sign.span(),
        _ => Span::mixed_site(),
    }
}

/// How the output tells an error: a closure that is given the work, and finds it out by its type.
fn observer(plan: &Plan) -> TokenStream {
    let krate = &plan.krate;
    if plan.has_no_output {
        let anything = krate.private("Anything");
        return quote!(|_| #anything);
    }
    let probe = krate.private(match plan.work {
        Work::Future => "Probe",
        Work::Closure => "BlockingProbe",
    });
    let observe = krate.private("observe");
    let work = local("work", Span::call_site());
    // The type of an output that is not known is asked for where the work is.
    let known = quote_spanned!(place(&plan.spawned)=> (&&#probe::of(#work)).output().is_known());
    quote!(|#work| {
        use #observe::*;
        if false {
            #known;
        }
        (&&&&&#probe::of(#work)).observer()
    })
}

/// The place in the source, once for all sessions from here. The function that stands beside it
/// is named by the compiler after the one around it.
fn made(plan: &Plan) -> TokenStream {
    let (session, site) = (plan.krate.item("Session"), plan.krate.private("Site"));
    let function_of = plan.krate.private("function_of");
    let name = optional(plan.name.as_ref().map(|name| quote!(#name)));
    let grace = optional(plan.grace.map(duration));
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
        );
        &SITE
    }) }
}

fn optional(value: Option<TokenStream>) -> TokenStream {
    match value {
        None => quote!(::core::option::Option::None),
        Some(value) => quote!(::core::option::Option::Some(#value)),
    }
}

/// The span that the fields are shown in.
fn span(plan: &Plan) -> Option<TokenStream> {
    if plan.fields.is_empty() {
        return None;
    }
    let fields = fields::recorded(&plan.fields, &plan.krate);
    let tracing = plan.krate.private("tracing");
    let name = plan.name.as_deref().unwrap_or("session");
    Some(quote!(#tracing::info_span!(#name, #fields)))
}

//! The expression that a macro call becomes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::check::Plan;
use super::{Work, fields};
use crate::paths::{duration, local, located, place_of};

/// `match (work) { work => spawn(&SITE, work, observer) }`
///
/// A `match`, as a call would do, keeps the temporaries of the user's expression to the end and
/// shows it none of the items in the arm.
pub(super) fn session(plan: &Plan, faults: Option<&TokenStream>) -> TokenStream {
    let spawned = &plan.spawned;
    let place = place_of(spawned);
    let (work, arm) = (work(place), arm(plan, place));
    // Without its parentheses, the braces of a struct would be the arms.
    let call = quote_spanned!(located(place)=> match (#spawned) { #work => #arm });
    let call = match span(plan) {
        None => call,
        // The fields are read first: the work may take away what they show.
        Some(made) => {
            let span = local("span", place);
            quote!(match #made { #span => #call })
        }
    };
    match faults {
        None => call,
        Some(faults) => quote!({ #faults #call }),
    }
}

/// The name that the work is bound to. It stands where the user wrote the work and is, as far as the
/// compiler knows, written there: what is wrong with the work's type is told there, and of no macro.
/// None of the user's code is in its scope, but a `static` of that name could not be hidden.
fn work(place: Span) -> Ident {
    Ident::new("__canstop_work", place)
}

/// What happens once the work is there.
fn arm(plan: &Plan, place: Span) -> TokenStream {
    let krate = &plan.krate;
    let (spawn, probe, in_span) = match plan.work {
        Work::Future => ("spawn_session", "Probe", "in_span"),
        Work::Closure => ("spawn_blocking_session", "BlockingProbe", "blocking_in_span"),
    };
    let (probe, observe) = (krate.private(probe), krate.private("observe"));
    let (work, observer) = (work(place), local("observer", place));
    let site = site(plan);
    // Imported, so that each call has one name at one place: of a path through `$crate` the
    // compiler would speak at the whole macro.
    let (mut imports, spawn) = krate.import(spawn, place);
    let spawned = if plan.fields.is_empty() {
        quote!(#work)
    } else {
        let (imported, in_span) = krate.import(in_span, place);
        imports.extend(imported);
        let span = local("span", place);
        quote_spanned!(place=> #in_span(#work, #span))
    };
    let call = quote_spanned!(place=> #spawn(&SITE, #spawned, #observer));
    let observed = if plan.has_no_output {
        let anything = krate.private("Anything");
        quote!(#anything)
    } else {
        quote! {{
            use #observe::*;
            (&&&&&#probe::of(&#work)).observer()
        }}
    };
    quote! {{
        #imports
        #site
        let #observer = #observed;
        #call
    }}
}

/// The place in the source, once for all sessions from here. The function that stands beside it
/// is named by the compiler after the one around it.
fn site(plan: &Plan) -> TokenStream {
    let site = plan.krate.private("Site");
    let function_of = plan.krate.private("function_of");
    let name = optional(plan.name.as_ref().map(|name| quote!(#name)));
    let grace = optional(plan.grace.map(duration));
    quote! {
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
    }
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

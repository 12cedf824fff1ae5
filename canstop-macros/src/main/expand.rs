//! The `fn main` that takes the async one's place.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{ReturnType, Signature};

use super::body::with_services_at_its_ends;
use super::check::Plan;
use crate::paths::{duration, type_argument};

/// The whole function. The user's own stands inside under the same name.
pub(super) fn program(plan: &Plan) -> TokenStream {
    let head = head(plan);
    let inner = inner(plan, &plan.function.sig, &with_services_at_its_ends(&plan.function, &plan.krate));
    let linked = linked(plan).map(|krate| quote_spanned!(krate.span()=> use #krate as _;));
    let app = described(plan);
    let ident = &plan.function.sig.ident;
    let future = match &plan.function.sig.output {
        // `!` becomes whatever is asked for.
        _ if plan.function.is_endless() => quote!(async { #ident().await }),
        ReturnType::Default => quote!(#ident()),
        // The type is asked by itself, so that the answer is told where it was written.
        ReturnType::Type(_, written) => {
            let outcome = plan.krate.item("MainOutput");
            let written = type_argument(written);
            quote!(async { <#written as #outcome<_>>::into_result(#ident().await) })
        }
    };
    let run = plan.krate.checked(quote!(#app.run(#future)));
    let lints = plan.krate.item("lints");
    let guards = plan.guards.iter().map(|guard| {
        let lint = Ident::new("guard_beside_run", guard.span());
        quote!(_ = #lints::#lint;)
    });
    let body = plan.function.braced(quote! {
        #(#guards)*
        #inner
        #(#linked)*
        #run
    });
    quote!(#head #body)
}

/// What is left of a faulty `main`, so that nothing is told but the faults.
pub(super) fn shape(plan: &Plan, faults: &TokenStream) -> TokenStream {
    let head = head(plan);
    let inner = plan.function.mended(true).map(|sig| inner(plan, &sig, &plan.function.body.to_token_stream()));
    let body = plan.function.braced(quote! {
        #faults
        #inner
        loop {}
    });
    quote!(#head #body)
}

fn head(plan: &Plan) -> TokenStream {
    let outer = &plan.attributes.outer;
    let vis = &plan.function.vis;
    let (fn_token, ident) = (&plan.function.sig.fn_token, &plan.function.sig.ident);
    let parameters = plan.function.parenthesized(TokenStream::new());
    quote!(#(#outer)* #vis #fn_token #ident #parameters -> ::std::process::ExitCode)
}

fn inner(plan: &Plan, sig: &Signature, body: &TokenStream) -> TokenStream {
    let inner = &plan.attributes.inner;
    quote!(#(#inner)* #sig #body)
}

fn linked(plan: &Plan) -> impl Iterator<Item = &Ident> {
    plan.options.link.iter().flat_map(|given| &given.value.0)
}

/// The options that were written, each a call on the app.
fn described(plan: &Plan) -> TokenStream {
    let Plan { krate, options, .. } = plan;
    let app = krate.item("App");
    let mut calls = TokenStream::new();
    match &options.services {
        // Exactly these: not what else this crate has registered.
        Some(services) => {
            let makes = krate.item("MakesService");
            calls.extend(services.value.0.iter().map(|path| quote!(.service(#makes::make(#path)))));
        }
        None => calls.extend(quote!(.link(::core::module_path!()))),
    }
    for linked in linked(plan) {
        let name = linked.unraw().to_string();
        calls.extend(quote!(.link(#name)));
    }
    if let Some(grace) = &options.grace {
        let grace = duration(grace.value.0);
        calls.extend(quote!(.grace(#grace)));
    }
    if let Some(drain_delay) = &options.drain_delay {
        let drain_delay = duration(drain_delay.value);
        calls.extend(quote!(.drain_delay(#drain_delay)));
    }
    if let Some(flavor) = &options.flavor {
        let (flavor, variant) = (krate.item("Flavor"), flavor.value.variant());
        calls.extend(quote!(.flavor(#flavor::#variant)));
    }
    if let Some(threads) = &options.worker_threads {
        let threads = Literal::usize_unsuffixed(threads.value.0);
        calls.extend(quote!(.worker_threads(#threads)));
    }
    quote!(#app::new() #calls)
}

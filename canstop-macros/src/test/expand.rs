//! The `fn` that takes the async one's place.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Signature;

use super::check::Plan;
use crate::paths::duration;

/// The whole function. The user's own stands inside under the same name.
pub(super) fn test(plan: &Plan) -> TokenStream {
    let head = head(plan);
    let inner = inner(plan, &plan.function.sig);
    let harness = described(plan);
    let (krate, ident) = (&plan.krate, &plan.function.sig.ident);
    let run = match plan.parameter() {
        Some(parameter) => {
            let testing = krate.item("testing");
            quote!(async |supervisor| #ident(<#parameter as #testing::TestParameter>::of(supervisor)).await)
        }
        None => quote!(async |_| #ident().await),
    };
    let run = plan.krate.checked(quote!(#harness.run(#run)));
    let body = plan.function.braced(quote! {
        #inner
        #run
    });
    quote!(#[::core::prelude::v1::test] #head #body)
}

/// What is left of a faulty test, so that nothing is told but the faults.
pub(super) fn shape(plan: &Plan, faults: &TokenStream) -> TokenStream {
    let head = head(plan);
    let inner = plan.function.mended(true).map(|sig| inner(plan, &sig));
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
    let output = &plan.function.sig.output;
    quote!(#(#outer)* #vis #fn_token #ident #parameters #output)
}

fn inner(plan: &Plan, sig: &Signature) -> TokenStream {
    let inner = &plan.attributes.inner;
    let body = &plan.function.body;
    quote!(#(#inner)* #sig #body)
}

/// The options that were written, each a call on the harness.
fn described(plan: &Plan) -> TokenStream {
    let Plan { krate, options, .. } = plan;
    let testing = krate.item("testing");
    let mut calls = TokenStream::new();
    if let Some(grace) = &options.grace {
        let grace = duration(grace.value.0);
        calls.extend(quote!(.grace(#grace)));
    }
    if let Some(drain_delay) = &options.drain_delay {
        let drain_delay = duration(drain_delay.value);
        calls.extend(quote!(.drain_delay(#drain_delay)));
    }
    quote!(#testing::Harness::new() #calls)
}

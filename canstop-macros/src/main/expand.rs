//! The `fn main` that takes the async one's place.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ReturnType;
use syn::ext::IdentExt as _;

use super::body::with_services_at_its_ends;
use super::check::Plan;
use crate::attribute::Declaration;
use crate::paths::{duration, type_argument};

/// The whole function. The user's own is inside, under the same name.
pub(super) fn program(Plan { declaration, guards }: &Plan) -> TokenStream {
    let Declaration { function, krate, .. } = declaration;
    let head = head(declaration);
    let inner = declaration.inner(&function.sig, &with_services_at_its_ends(function, krate));
    let linked = linked(declaration).map(|krate| quote_spanned!(krate.span()=> use #krate as _;));
    let app = described(declaration);
    let ident = &function.sig.ident;
    let future = match &function.sig.output {
        // Inference would settle on `!` itself, which no trait is implemented for.
        _ if function.is_endless() => {
            let endless = krate.private("endless");
            quote!(#endless(#ident()))
        }
        ReturnType::Default => quote!(#ident()),
        // The type is asked by itself, so that a wrong one is reported where it was written.
        ReturnType::Type(_, written) => {
            let outcome = krate.item("MainOutput");
            let written = type_argument(written);
            quote!(async { <#written as #outcome<_>>::into_result(#ident().await) })
        }
    };
    let warnings = guards.iter().map(|guard| krate.lint("guard_beside_run", guard));
    // Also the user's own function names the crate: services run at its ends.
    let body = function.braced(krate.checked(quote! {
        #(#warnings)*
        #inner
        #(#linked)*
        #app.run(#future)
    }));
    quote!(#head #body)
}

/// What is left of a faulty `main`.
pub(super) fn shape(Plan { declaration, .. }: &Plan, faults: &TokenStream) -> TokenStream {
    declaration.shape(&head(declaration), faults)
}

fn head(declaration: &Declaration) -> TokenStream {
    declaration.head(quote!(-> ::std::process::ExitCode))
}

fn linked(declaration: &Declaration) -> impl Iterator<Item = &Ident> {
    declaration.options.link.iter().flat_map(|given| &given.value.0)
}

/// The options that were written, each a call on the app.
fn described(declaration: &Declaration) -> TokenStream {
    let Declaration { krate, options, .. } = declaration;
    let app = krate.item("App");
    let mut calls = TokenStream::new();
    match &options.services {
        // Exactly these: not what else this crate has registered.
        Some(services) => {
            let makes = krate.item("MakesService");
            calls.extend(services.value.0.iter().map(|path| quote!(.service(#makes::make(#path)))));
        }
        None => calls.extend(quote!(.link_own(::core::module_path!(), ::core::option_env!("CARGO_BIN_NAME")))),
    }
    for linked in linked(declaration) {
        let name = linked.unraw().to_string();
        calls.extend(quote!(.link(#name)));
    }
    if let Some(grace) = &options.grace {
        let grace = grace.value.expression(|grace| duration(grace.0));
        calls.extend(quote!(.grace(#grace)));
    }
    if let Some(drain_delay) = &options.drain_delay {
        let drain_delay = drain_delay.value.expression(|delay| duration(*delay));
        calls.extend(quote!(.drain_delay(#drain_delay)));
    }
    if let Some(health) = &options.health {
        let address = health.value.expression(|address| Literal::string(&address.0).to_token_stream());
        calls.extend(quote!(.health(#address)));
    }
    if let Some(status) = &options.status {
        let status = status.value.expression(|status| status.0.to_token_stream());
        calls.extend(quote!(.status(#status)));
    }
    if let Some(metrics) = &options.metrics {
        let metrics = metrics.value.expression(|metrics| metrics.0.to_token_stream());
        calls.extend(quote!(.metrics(#metrics)));
    }
    if let Some(stall) = &options.stall {
        let stall = stall.value.expression(|stall| duration(stall.0));
        calls.extend(quote!(.stall(#stall)));
    }
    if let Some(blocked) = &options.blocked {
        let blocked = blocked.value.expression(|blocked| duration(blocked.0));
        calls.extend(quote!(.blocked(#blocked)));
    }
    if let Some(timeout) = &options.upgrade_timeout {
        let timeout = timeout.value.expression(|timeout| duration(timeout.0));
        calls.extend(quote!(.upgrade_timeout(#timeout)));
    }
    if let Some(flavor) = &options.flavor {
        let flavor = flavor.value.expression(|flavor| flavor.path(&krate.item("Flavor")));
        calls.extend(quote!(.flavor(#flavor)));
    }
    if let Some(threads) = &options.worker_threads {
        let threads = threads.value.expression(|threads| Literal::usize_unsuffixed(threads.0).to_token_stream());
        calls.extend(quote!(.worker_threads(#threads)));
    }
    quote!(#app::new() #calls)
}

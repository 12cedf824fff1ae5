//! The `fn main` that takes the async one's place.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Generics, ReturnType};

use super::body::with_services_at_its_ends;
use super::check::Plan;
use crate::args::Count;
use crate::attribute::{Declaration, Setters};
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
    declaration.shape(&head(declaration), faults, declaration.mended(true), [])
}

fn head(declaration: &Declaration) -> TokenStream {
    declaration.head(&Generics::default(), TokenStream::new(), quote!(-> ::std::process::ExitCode))
}

fn linked(declaration: &Declaration) -> impl Iterator<Item = &Ident> {
    declaration.options.link.iter().flat_map(|given| &given.value.0)
}

/// The options that were written, each a call on the app.
fn described(declaration: &Declaration) -> TokenStream {
    let Declaration { krate, options, .. } = declaration;
    let app = krate.item("App");
    let mut setters = Setters::default();
    match &options.services {
        // Exactly these: not what else this crate has registered.
        Some(services) => {
            let makes = krate.item("MakesService");
            services.value.0.iter().for_each(|path| setters.call("service", quote!(#makes::make(#path))));
        }
        None => setters.call("link_own", quote!(::core::module_path!(), ::core::option_env!("CARGO_BIN_NAME"))),
    }
    for linked in linked(declaration) {
        setters.call("link", Literal::string(&linked.unraw().to_string()).to_token_stream());
    }
    setters.set("grace", options.grace.as_ref(), |grace| duration(grace.0));
    setters.set("drain_delay", options.drain_delay.as_ref(), |delay| duration(*delay));
    setters.set("health", options.health.as_ref(), |address| Literal::string(&address.0).to_token_stream());
    setters.set("status", options.status.as_ref(), |status| status.0.to_token_stream());
    setters.set("metrics", options.metrics.as_ref(), |metrics| metrics.0.to_token_stream());
    setters.set("stall", options.stall.as_ref(), |stall| duration(stall.0));
    setters.set("blocked", options.blocked.as_ref(), |blocked| duration(blocked.0));
    setters.set("upgrade_timeout", options.upgrade_timeout.as_ref(), |timeout| duration(timeout.0));
    setters.set("flavor", options.flavor.as_ref(), |flavor| flavor.path(&krate.item("Flavor")));
    let number = |threads: &Count| Literal::usize_unsuffixed(threads.0).to_token_stream();
    setters.set("worker_threads", options.worker_threads.as_ref(), number);
    quote!(#app::new() #setters)
}

//! The `fn` that takes the async one's place.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::Generics;

use super::check::Plan;
use crate::args::Count;
use crate::attribute::{Declaration, Setters};
use crate::paths::duration;

/// The whole function. The user's own is inside, under the same name.
pub(super) fn test(plan: &Plan) -> TokenStream {
    let Plan(declaration) = plan;
    let Declaration { function, krate, .. } = declaration;
    let (ident, body) = (&function.sig.ident, &function.body);
    let head = head(plan);
    let inner = declaration.inner(&function.sig, &quote!(#body));
    let harness = described(declaration);
    let test = match plan.parameter() {
        Some(parameter) => {
            let testing = krate.item("testing");
            quote!(async |supervisor| #ident(<#parameter as #testing::TestParameter>::of(supervisor)).await)
        }
        None => quote!(async |_| #ident().await),
    };
    // In the order in which they are documented.
    let everywhere = [(plan.stops(), quote!(stop_everywhere)), (plan.abandons(), quote!(abandon_everywhere))];
    let everywhere = everywhere.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, run)| run);
    let runs: Vec<_> = everywhere.map(|run| krate.checked(quote!(#harness.#run(#test);))).collect();
    let runs = if runs.is_empty() { vec![krate.checked(quote!(#harness.run(#test)))] } else { runs };
    let body = function.braced(quote! {
        #inner
        #(#runs)*
    });
    quote!(#[::core::prelude::v1::test] #head #body)
}

/// What is left of a faulty test.
pub(super) fn shape(plan: &Plan, faults: &TokenStream) -> TokenStream {
    plan.0.shape(&head(plan), faults, plan.0.mended(true), [])
}

/// What is left of a test whose body may name what is not there.
pub(super) fn bare(Plan(declaration): &Plan, faults: &TokenStream) -> TokenStream {
    let head = declaration.head(&Generics::default(), TokenStream::new(), TokenStream::new());
    declaration.shape(&head, faults, None, [])
}

/// What a test returns that runs often is judged by the harness.
fn head(plan: &Plan) -> TokenStream {
    let runs_often = plan.stops() || plan.abandons();
    let output = &plan.0.function.sig.output;
    let output = if runs_often { TokenStream::new() } else { output.to_token_stream() };
    plan.0.head(&Generics::default(), TokenStream::new(), output)
}

/// The options that were written, each a call on the harness.
fn described(Declaration { krate, options, .. }: &Declaration) -> TokenStream {
    let testing = krate.item("testing");
    let mut setters = Setters::default();
    setters.set("grace", options.grace.as_ref(), |grace| duration(grace.0));
    setters.set("drain_delay", options.drain_delay.as_ref(), |delay| duration(*delay));
    setters.set("clock", options.clock.as_ref(), |clock| clock.path(&quote!(#testing::Clock)));
    setters.set("limit", options.runs.as_ref(), |Count(limit)| quote!(#limit));
    quote!(#testing::Harness::new() #setters)
}

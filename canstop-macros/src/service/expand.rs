//! The constructor that takes a service function's place.

use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::Signature;

use super::check::Plan;
use super::lint::Finding;
use super::parameters::State;
use crate::args::{Backoff, Limit, Ready, Setting};
use crate::attribute::Declaration;
use crate::function::Function;
use crate::paths::{duration, local, type_argument};

/// The whole function: same name, attributes, visibility and generics as the user's, whose own
/// stands inside under the same name, so that the compiler's messages speak of what they know.
pub(super) fn service(plan: &Plan) -> TokenStream {
    let ident = &plan.declaration.function.sig.ident;
    let head = head(plan, &plan.output.ty, None);
    let registration = registration(plan);
    let inner = inner(plan, &plan.declaration.function.sig);
    let made = made(plan);
    let service = local("service", Span::call_site());
    let described = described(plan, service.to_token_stream());
    let described = if plan.named {
        let identified = plan.declaration.krate.private("identified");
        let (_, generics, _) = plan.declaration.function.sig.generics.split_for_impl();
        let generics = generics.as_turbofish();
        quote!(#identified(#described, #ident #generics))
    } else {
        described
    };
    let warnings = warnings(plan);
    let body = plan.declaration.function.braced(quote! {
        #registration
        #(#warnings)*
        let #service = { #inner #made };
        #described
    });
    plan.declaration.krate.checked(quote!(#head #body))
}

/// What is left of a faulty service: enough that its callers compile and its body is checked, so
/// that nothing is told but the faults.
pub(super) fn shape(plan: &Plan, faults: &TokenStream) -> TokenStream {
    let receiver = plan.declaration.function.sig.receiver().map(|receiver| quote!(#receiver,));
    let head = head(plan, &plan.output.named(), receiver);
    let awaits = plan.declaration.options.blocking.is_none() && !plan.output.promised;
    let inner = plan.declaration.function.mended(awaits).map(|sig| inner(plan, &sig));
    // What is taken and not used would be warned of.
    let names = plan.parameters.state.iter().map(|state| &state.name);
    let body = plan.declaration.function.braced(quote! {
        #faults
        #inner
        _ = (#(&#names,)*);
        loop {}
    });
    quote!(#head #body)
}

/// All of the constructor but its body.
fn head(plan: &Plan, output: &TokenStream, receiver: Option<TokenStream>) -> TokenStream {
    let outer = &plan.declaration.attributes.outer;
    let vis = &plan.declaration.function.vis;
    let sig = &plan.declaration.function.sig;
    let (fn_token, ident) = (&sig.fn_token, &sig.ident);
    let (generics, _, where_clause) = sig.generics.split_for_impl();
    let state = plan.parameters.state.iter().map(|State { name, ty }| quote!(#name: #ty));
    let service = plan.declaration.krate.item("Service");
    let parameters = plan.declaration.function.parenthesized(quote!(#receiver #(#state),*));
    let close = plan.declaration.function.closing();
    quote! {
        #(#outer)*
        #vis #fn_token #ident #generics #parameters -> #service<#output #close #where_clause
    }
}

/// The user's own function.
fn inner(plan: &Plan, sig: &Signature) -> TokenStream {
    let body = &plan.declaration.function.body;
    let inner = plan.declaration.inner(sig, &quote!(#body));
    // A service owns what it takes, also where its body only looks at it.
    let owns = plan.declaration.options.blocking.is_some().then(|| quote!(#[allow(clippy::needless_pass_by_value)]));
    quote!(#owns #inner)
}

fn warnings(plan: &Plan) -> impl Iterator<Item = TokenStream> {
    plan.findings.iter().map(|Finding { lint, word }| plan.declaration.krate.lint(lint, word))
}

/// What makes the service known before `main` runs.
///
/// The parentheses make the function's name a value, as it is where the service is declared: in an
/// `impl` block, where it is neither, that is one mistake and not two.
fn registration(plan: &Plan) -> Option<TokenStream> {
    let ident = &plan.declaration.function.sig.ident;
    let inventory = plan.declaration.krate.private("inventory");
    let registration = plan.declaration.krate.private("Registration");
    let any_service = plan.declaration.krate.private("any_service");
    plan.registered.then(|| {
        quote! {
            #inventory::submit! {
                #registration::new(
                    ::core::module_path!(),
                    ::core::option_env!("CARGO_BIN_NAME"),
                    || #any_service((#ident)()),
                )
            }
        }
    })
}

/// `ServiceFunction::returning::<R>("http", ..).restarted(move |lifecycle| http(lifecycle, state))`
///
/// The names and types that the user wrote stand where they were written. Of what is generated, only
/// brackets and keywords are moved there: what is a name in it must not be found under the user's.
fn made(plan: &Plan) -> TokenStream {
    let Plan { declaration: Declaration { krate, options, function, .. }, name, parameters, output, .. } = plan;
    let service_function = krate.item("ServiceFunction");
    let blocking = options.blocking.is_some();
    let once = options.restarts_never();
    let bodied = match (blocking, once) {
        (false, false) => quote!(restarted),
        (false, true) => quote!(once),
        (true, false) => quote!(blocking),
        (true, true) => quote!(blocking_once),
    };
    let lifecycle = local("lifecycle", Span::call_site());
    let own = parameters.lifecycle.as_ref().map(|ty| {
        let rule = krate.item("LifecycleParameter");
        quote!(<#ty as #rule>::of(#lifecycle))
    });
    let state =
        parameters.state.iter().map(|state| if once { state.name.to_token_stream() } else { cloned(plan, state) });
    let arguments = own.iter().cloned().chain(state);
    let heard = match own {
        Some(_) => lifecycle.to_token_stream(),
        None => quote!(_),
    };
    let ident = &function.sig.ident;
    let place = ident.span();
    let (_, generics, _) = function.sig.generics.split_for_impl();
    let turbofish = generics.as_turbofish();
    let mut arguments = Group::new(Delimiter::Parenthesis, quote!(#(#arguments),*));
    arguments.set_span(place);
    let mut life = quote!(#ident #turbofish #arguments);
    if !blocking {
        life = quote!(#service_function::future(#life));
    }
    // `!` cannot be named as a service's type, but where a block gives it, it becomes whatever is
    // asked for.
    if output.endless && !blocking {
        life = quote!(#service_function::future(async move { #life.await }));
    }
    let lives = quote_spanned!(place=> move |#heard| { #life });
    let returned = output.argument();
    let line = line(function);
    quote!(#service_function::returning::<#returned>(#name, ::core::file!(), #line).#bodied(#lives))
}

/// The line that the function begins at, and not its attribute.
fn line(function: &Function) -> TokenStream {
    quote_spanned!(function.sig.fn_token.span=> ::core::line!())
}

/// A copy of a parameter for one run. The trait behind it says on the parameter what is missing. Of
/// a type that the caller chooses, what is missing is a bound, and `Clone` is the one to write.
fn cloned(plan: &Plan, state: &State) -> TokenStream {
    let State { name, ty } = state;
    let ty = type_argument(ty);
    if state.is_chosen(&plan.declaration.function.sig.generics) {
        return quote!(<#ty as ::core::clone::Clone>::clone(&#name));
    }
    let rule = plan.declaration.krate.item("RestartState");
    quote!(<#ty as #rule>::again(&#name))
}

/// The options that were written, each a call on the service.
fn described(plan: &Plan, service: TokenStream) -> TokenStream {
    let Declaration { krate, options, .. } = &plan.declaration;
    let mut calls = TokenStream::new();
    // What one option gives to two parameters.
    let mut parted = TokenStream::new();
    if let Some(Setting::Computed(name)) = options.name.as_ref().map(|given| &given.value) {
        calls.extend(quote!(.name(#name)));
    }
    if let Some(restart) = &options.restart {
        let restart = restart.value.expression(|restart| restart.path(&krate.item("Restart")));
        calls.extend(quote!(.restart(#restart)));
    }
    if let Some(backoff) = &options.backoff {
        match &backoff.value {
            Setting::Written(Backoff { min, max }) => {
                let (min, max) = (duration(*min), duration(*max));
                calls.extend(quote!(.backoff(#min, #max)));
            }
            Setting::Computed(expression) => {
                let [min, max] = ["min", "max"].map(|name| local(name, Span::call_site()));
                parted.extend(quote! {
                    let ::core::ops::Range::<::core::time::Duration> { start: #min, end: #max } = #expression;
                });
                calls.extend(quote!(.backoff(#min, #max)));
            }
        }
    }
    if let Some(limit) = &options.limit {
        match &limit.value {
            Setting::Written(Limit { failures, window }) => {
                let (failures, window) = (Literal::u32_unsuffixed(*failures), duration(*window));
                calls.extend(quote!(.limit(#failures, #window)));
            }
            Setting::Computed(expression) => {
                let [failures, window] = ["failures", "window"].map(|name| local(name, Span::call_site()));
                parted.extend(quote! {
                    let (#failures, #window): (::core::primitive::u32, ::core::time::Duration) = #expression;
                });
                calls.extend(quote!(.limit(#failures, #window)));
            }
        }
    }
    if let Some(grace) = &options.grace {
        let grace = grace.value.expression(|grace| duration(grace.0));
        calls.extend(quote!(.grace(#grace)));
    }
    if let Some(start_timeout) = &options.start_timeout {
        let start_timeout = start_timeout.value.expression(|timeout| duration(timeout.0));
        calls.extend(quote!(.start_timeout(#start_timeout)));
    }
    if let Some(start) = &options.start {
        let start = start.value.expression(|start| start.path(&krate.item("Start")));
        calls.extend(quote!(.start(#start)));
    }
    let notifies = || plan.parameters.notifies.then_some(&Setting::Written(Ready::Notify));
    if let Some(ready) = options.ready.as_ref().map(|given| &given.value).or_else(notifies) {
        let ready = ready.expression(|ready| ready.path(&krate.item("Ready")));
        calls.extend(quote!(.ready(#ready)));
    }
    for need in options.after.iter().flat_map(|given| &given.value.0) {
        calls.extend(quote!(.after(#need)));
    }
    for need in options.bound_to.iter().flat_map(|given| &given.value.0) {
        calls.extend(quote!(.bound_to(#need)));
    }
    if options.optional.is_some() {
        calls.extend(quote!(.optional()));
    }
    if options.cancel.is_some() {
        calls.extend(quote!(.cancel()));
    }
    if options.own_runtime.is_some() {
        calls.extend(quote!(.own_runtime()));
    }
    if parted.is_empty() { quote!(#service #calls) } else { quote!({ #parted #service #calls }) }
}

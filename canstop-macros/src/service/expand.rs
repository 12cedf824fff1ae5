//! The constructor that takes a service function's place.

use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};

use super::check::Plan;
use super::lint::Finding;
use super::parameters::State;
use crate::args::{Backoff, Given, Limit, Ready, Setting};
use crate::attribute::{Declaration, Setters};
use crate::function::Function;
use crate::paths::{duration, local, type_argument};

/// The whole function, with the name, attributes, visibility and generics of the user's. The user's own is inside,
/// under the same name, so that the compiler's messages use names that the user knows.
pub(super) fn service(plan: &Plan) -> TokenStream {
    let ident = &plan.declaration.function.sig.ident;
    let head = head(plan, &plan.output.ty, None);
    let registration = registration(plan);
    let inner = inner(plan);
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

/// What is left of a faulty service.
pub(super) fn shape(plan: &Plan, faults: &TokenStream) -> TokenStream {
    let Plan { declaration, parameters, output, .. } = plan;
    let receiver = declaration.function.sig.receiver().map(|receiver| quote!(#receiver,));
    let head = head(plan, &output.named(), receiver);
    let awaits = declaration.options.blocking.is_none() && !output.promised;
    let used = parameters.state.iter().map(|state| &state.name);
    declaration.shape(&head, faults, declaration.mended(awaits), used)
}

/// All of the constructor but its body.
fn head(plan: &Plan, output: &TokenStream, receiver: Option<TokenStream>) -> TokenStream {
    let Declaration { function, krate, .. } = &plan.declaration;
    let state = plan.parameters.state.iter().map(|State { name, ty }| quote!(#name: #ty));
    let (service, close) = (krate.item("Service"), function.closing());
    plan.declaration.head(&function.sig.generics, quote!(#receiver #(#state),*), quote!(-> #service<#output #close))
}

/// The user's own function.
fn inner(plan: &Plan) -> TokenStream {
    let Function { sig, body, .. } = &plan.declaration.function;
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
/// The names and types that the user wrote keep their places. Of the generated tokens only brackets and keywords are
/// moved there: a generated name must not resolve to one of the user's.
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
    let mut run = quote!(#ident #turbofish #arguments);
    if !blocking {
        run = quote!(#service_function::future(#run));
    }
    // `!` cannot be named as a service's type, but where a block gives it, it becomes whatever is
    // asked for.
    if output.endless && !blocking {
        run = quote!(#service_function::future(async move { #run.await }));
    }
    let factory = quote_spanned!(place=> move |#heard| { #run });
    let returned = output.argument();
    let line = line(function);
    quote!(#service_function::returning::<#returned>(#name, ::core::file!(), #line).#bodied(#factory))
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
    let mut setters = Setters::default();
    // What one option gives to two parameters.
    let mut parted = TokenStream::new();
    if let Some(Setting::Computed(name)) = options.name.as_ref().map(|given| &given.value) {
        setters.call("name", name.clone());
    }
    setters.set("restart", options.restart.as_ref(), |restart| restart.path(&krate.item("Restart")));
    match options.backoff.as_ref().map(|given| &given.value) {
        Some(Setting::Written(Backoff { min, max })) => {
            let (min, max) = (duration(*min), duration(*max));
            setters.call("backoff", quote!(#min, #max));
        }
        Some(Setting::Computed(expression)) => {
            let [min, max] = ["min", "max"].map(|name| local(name, Span::call_site()));
            parted.extend(quote! {
                let ::core::ops::Range::<::core::time::Duration> { start: #min, end: #max } = #expression;
            });
            setters.call("backoff", quote!(#min, #max));
        }
        None => {}
    }
    match options.limit.as_ref().map(|given| &given.value) {
        Some(Setting::Written(Limit { failures, window })) => {
            let (failures, window) = (Literal::u32_unsuffixed(*failures), duration(*window));
            setters.call("limit", quote!(#failures, #window));
        }
        Some(Setting::Computed(expression)) => {
            let [failures, window] = ["failures", "window"].map(|name| local(name, Span::call_site()));
            parted.extend(quote! {
                let (#failures, #window): (::core::primitive::u32, ::core::time::Duration) = #expression;
            });
            setters.call("limit", quote!(#failures, #window));
        }
        None => {}
    }
    setters.set("grace", options.grace.as_ref(), |grace| duration(grace.0));
    setters.set("start_timeout", options.start_timeout.as_ref(), |timeout| duration(timeout.0));
    setters.set("start", options.start.as_ref(), |start| start.path(&krate.item("Start")));
    let notifies = || plan.parameters.notifies.then_some(&Setting::Written(Ready::Notify));
    if let Some(ready) = options.ready.as_ref().map(|given| &given.value).or_else(notifies) {
        setters.call("ready", ready.expression(|ready| ready.path(&krate.item("Ready"))));
    }
    for Given { key, value } in options.after.iter().chain(&options.bound_to) {
        for need in &value.0 {
            setters.call_as(key, need.to_token_stream());
        }
    }
    setters.flag("optional", options.optional.as_ref());
    setters.flag("cancel", options.cancel.as_ref());
    setters.flag("own_runtime", options.own_runtime.as_ref());
    if parted.is_empty() { quote!(#service #setters) } else { quote!({ #parted #service #setters }) }
}

//! A service's parameters: its `Lifecycle`, and the state that its constructor takes.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::{FnArg, GenericParam, Generics, Pat, PatType, Type};

use super::borrow;
use crate::args::Options;
use crate::diag::Errors;
use crate::function::Function;
use crate::paths::{local, local_like, place_of};
use crate::tokens;

/// What becomes of the parameters.
pub(super) struct Parameters {
    /// The type of the one that is given the service's `Lifecycle`.
    pub(super) lifecycle: Option<Type>,
    pub(super) state: Vec<State>,
    /// Whether the body calls `ready()` on the first one.
    pub(super) notifies: bool,
}

/// A parameter that the constructor takes too.
pub(super) struct State {
    /// Its name in the constructor, which only generated code can see: a path in `after(..)` that
    /// is spelled the same means the function and not this.
    pub(super) name: Ident,
    pub(super) ty: Type,
}

impl State {
    /// Whether the type can be written as a type argument.
    pub(super) fn is_named(&self) -> bool {
        !tokens::mentions(self.ty.to_token_stream(), "impl")
    }

    /// Whether the constructor's caller decides what it is.
    pub(super) fn is_chosen(&self, generics: &Generics) -> bool {
        let mut parameters = generics.type_params();
        !self.is_named() || parameters.any(|one| tokens::mentions(self.ty.to_token_stream(), &one.ident.to_string()))
    }
}

impl Parameters {
    pub(super) fn of(function: &Function, options: &Options, errors: &mut Errors) -> Self {
        for input in &function.sig.inputs {
            conditional(input, errors);
        }
        if let Some(receiver) = function.sig.receiver() {
            errors.at(
                receiver,
                "a service is a free function: move it out of the `impl` block, and take what it \
                 needs as a parameter, such as `state: Arc<State>`",
            );
        }
        let mut typed = function.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        let first = typed.clone().next();
        let lifecycle = if options.cancel.is_some() { first.filter(|first| is_lifecycle(&first.ty)) } else { first };
        match lifecycle {
            Some(lifecycle) => {
                typed.next();
                by_value(lifecycle, errors);
            }
            None if options.cancel.is_none() && function.sig.receiver().is_none() => {
                deaf(function, options, errors);
            }
            None => {}
        }
        let state: Vec<State> =
            typed.enumerate().map(|(at, parameter)| state(at, parameter, function, errors)).collect();
        generics(function, options, state.is_empty(), errors);
        Self {
            lifecycle: lifecycle.map(|first| (*first.ty).clone()),
            state,
            notifies: lifecycle.is_some_and(|first| notifies(first, function)),
        }
    }
}

/// A parameter that is there or not by configuration would need an argument that is too, and
/// arguments cannot be.
fn conditional(input: &FnArg, errors: &mut Errors) {
    let (FnArg::Typed(PatType { attrs, .. }) | FnArg::Receiver(syn::Receiver { attrs, .. })) = input;
    for attr in attrs {
        if attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr") {
            errors.at(
                attr,
                "a service's parameter cannot be conditional: put the `#[cfg(..)]` on two \
                 functions, or take an `Option`",
            );
        }
    }
}

fn is_lifecycle(written: &Type) -> bool {
    match written {
        Type::Group(inner) => is_lifecycle(&inner.elem),
        Type::Paren(inner) => is_lifecycle(&inner.elem),
        Type::Reference(inner) => is_lifecycle(&inner.elem),
        Type::Path(inner) => {
            let last = inner.path.segments.last();
            last.is_some_and(|last| last.ident == "Lifecycle")
        }
        _ => false,
    }
}

/// The runtime crate judges the type; this reports what no trait can.
fn by_value(lifecycle: &PatType, errors: &mut Errors) {
    if let Some(borrow) = borrow::find(&lifecycle.ty) {
        let mend = if is_lifecycle(&lifecycle.ty) {
            "a service owns its `Lifecycle`: write `lifecycle: Lifecycle`"
        } else {
            "a service's first parameter is its own `Lifecycle`: write `lifecycle: Lifecycle`, \
             and give the state after it"
        };
        errors.at(borrow, mend);
    } else if tokens::mentions(lifecycle.ty.to_token_stream(), "impl") {
        errors.at(
            &lifecycle.ty,
            "a service's first parameter is its own `Lifecycle`: write `lifecycle: Lifecycle`, \
             and give the state after it",
        );
    }
}

fn deaf(function: &Function, options: &Options, errors: &mut Errors) {
    let otherwise = if options.blocking.is_some() {
        ""
    } else {
        ", or say `#[canstop::service(cancel)]` to be dropped at its next `.await`"
    };
    errors.at(
        &function.sig.ident,
        format!(
            "a service must be able to hear a stop: take `lifecycle: Lifecycle` as the first \
             parameter{otherwise}"
        ),
    );
}

fn state(at: usize, parameter: &PatType, function: &Function, errors: &mut Errors) -> State {
    if let Some(borrow) = borrow::find(&parameter.ty) {
        errors.at(
            borrow,
            "a service outlives the code that starts it, so it cannot borrow its state: own it \
             (`String`, `Arc<T>`), or take `&'static`",
        );
    }
    let place = place_of(&parameter.pat);
    let name = match &*parameter.pat {
        // Inside, the function's own name is the user's function and not a parameter.
        Pat::Ident(named) if named.ident != function.sig.ident && named.subpat.is_none() => {
            local_like(&named.ident, named.ident.span())
        }
        _ => local(&fresh(at, function), place),
    };
    State { name, ty: (*parameter.ty).clone() }
}

/// A name that no parameter has.
fn fresh(at: usize, function: &Function) -> String {
    let mut name = format!("state_{at}");
    while tokens::mentions(function.sig.inputs.to_token_stream(), &name) {
        name.push('_');
    }
    name
}

/// Refuses declared lifetimes, and type parameters that nothing would ever say.
fn generics(function: &Function, options: &Options, no_state: bool, errors: &mut Errors) {
    let unanswered = no_state && options.manual.is_none() && function.sig.receiver().is_none();
    let mut is_reported = false;
    for parameter in &function.sig.generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) => errors.at(
                &lifetime.lifetime,
                "a service outlives the code that starts it, so it cannot borrow: own the state \
                 (`String`, `Arc<T>`), or take `&'static`",
            ),
            GenericParam::Type(_) | GenericParam::Const(_) if unanswered && !is_reported => {
                is_reported = true;
                errors.at(
                    parameter,
                    "a service without state starts by itself, and then nothing says what this \
                     is: take state that does, or say `#[canstop::service(manual)]` and start it \
                     from `main`",
                );
            }
            GenericParam::Type(_) | GenericParam::Const(_) => {}
        }
    }
}

fn notifies(lifecycle: &PatType, function: &Function) -> bool {
    let Pat::Ident(named) = &*lifecycle.pat else {
        return false;
    };
    tokens::calls(function.body.stream(), &named.ident.to_string(), "ready")
}

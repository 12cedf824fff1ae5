//! What a service gives: nothing, a `Result`, or never anything.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{GenericArgument, Path, PathArguments, ReturnType, Type, TypeParamBound};

use super::borrow;
use crate::diag::Errors;
use crate::function::{Function, is_never};
use crate::paths::type_argument;
use crate::tokens;

/// The `R` of the service's `Service<R>`.
pub(super) struct Output {
    /// As the user wrote it; `Infallible` for `!`, which cannot be written there.
    pub(super) ty: TokenStream,
    /// Whether it was `!`.
    pub(super) endless: bool,
    /// Whether a function that is not `async` gives a future of it.
    pub(super) promised: bool,
}

impl Output {
    pub(super) fn of(function: &Function, errors: &mut Errors) -> Self {
        if let ReturnType::Type(_, written) = &function.sig.output
            && let Some(borrow) = borrow::find(written)
        {
            errors.at(
                borrow,
                "a service outlives the code that starts it, so it cannot give a borrow: give an \
                 owned value, or `&'static`",
            );
        }
        let future = match (&function.sig.asyncness, &function.sig.output) {
            (None, ReturnType::Type(_, written)) => future_bound(written),
            _ => None,
        };
        let Some(future) = future else {
            return Self::new(function.output(), function.is_endless(), false);
        };
        match promise(future) {
            Some(ty) => Self::new(ty.to_token_stream(), is_never(ty), true),
            None => {
                errors.at(
                    future,
                    "a service says what its future gives: write `Future<Output = ()>` or \
                     `Future<Output = Result<(), E>>`",
                );
                Self::new(quote!(()), false, true)
            }
        }
    }

    fn new(written: TokenStream, endless: bool, promised: bool) -> Self {
        let ty = if endless { quote!(::core::convert::Infallible) } else { written };
        Self { ty, endless, promised }
    }

    /// It as a type argument.
    pub(super) fn argument(&self) -> TokenStream {
        type_argument(&self.ty)
    }

    /// A type that needs no function body to be known: an `impl Trait` would.
    pub(super) fn named(&self) -> TokenStream {
        if tokens::mentions(self.ty.clone(), "impl") { quote!(()) } else { self.ty.clone() }
    }
}

/// The `Future<..>` of an `impl Future<..>`.
fn future_bound(written: &Type) -> Option<&Path> {
    match written {
        Type::Paren(inner) => future_bound(&inner.elem),
        Type::Group(inner) => future_bound(&inner.elem),
        Type::ImplTrait(inner) => inner.bounds.iter().find_map(|bound| match bound {
            TypeParamBound::Trait(bound) => {
                let last = bound.path.segments.last()?;
                (last.ident == "Future").then_some(&bound.path)
            }
            _ => None,
        }),
        _ => None,
    }
}

fn promise(future: &Path) -> Option<&Type> {
    let PathArguments::AngleBracketed(list) = &future.segments.last()?.arguments else {
        return None;
    };
    list.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(binding) if binding.ident == "Output" => Some(&binding.ty),
        _ => None,
    })
}

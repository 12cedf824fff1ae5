//! Judges a test, and makes of it everything that the expansion needs.

use syn::{FnArg, Type};

use crate::args::Options;
use crate::diag::Errors;
use crate::function::{Function, Sorted, foreign_attributes, qualifiers};
use crate::paths::Crate;

/// A test, understood. Of an unsound one the expansion takes only the shape.
pub(super) struct Plan {
    pub(super) function: Function,
    pub(super) options: Options,
    pub(super) attributes: Sorted,
    pub(super) krate: Crate,
}

impl Plan {
    /// The type of its parameter, if it has one.
    pub(super) fn parameter(&self) -> Option<&Type> {
        self.function.sig.inputs.iter().find_map(|input| match input {
            FnArg::Typed(typed) => Some(&*typed.ty),
            FnArg::Receiver(_) => None,
        })
    }
}

pub(super) fn check(options: Options, function: Function, errors: &mut Errors) -> Plan {
    let sig = &function.sig;
    let ident = &sig.ident;
    qualifiers(sig, "a test", errors);
    foreign_attributes(&function.attrs, errors);
    if sig.asyncness.is_none() && function.builds_a_runtime() {
        errors.at(
            sig.fn_token,
            format!(
                "`#[canstop::test]` builds the runtime itself, and this function has one already: remove \
                 `#[tokio::test]` or whatever else builds it, and write `async fn {ident}`"
            ),
        );
    } else if sig.asyncness.is_none() {
        errors.at(
            sig.fn_token,
            format!("`#[canstop::test]` runs a test on a runtime: write `async fn {ident}`, or `#[test]`"),
        );
    }
    if !sig.generics.params.is_empty() {
        errors.at(&sig.generics, "nothing calls a test with type arguments: remove the generics");
    }
    if let Some(receiver) = sig.receiver() {
        errors.at(receiver, "a test is a free function: move it out of the `impl` block");
    } else if let Some(second) = sig.inputs.iter().nth(1) {
        errors
            .at(second, "a test takes its supervisor and nothing else: remove this parameter, and make it in the body");
    }
    Plan {
        attributes: Sorted::new(&function.attrs),
        krate: Crate::new(options.krate.as_ref().map(|given| &given.value)),
        options,
        function,
    }
}

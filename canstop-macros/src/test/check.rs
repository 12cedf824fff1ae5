//! Judges a test, and makes of it everything that the expansion needs.

use syn::{FnArg, Type};

use crate::args::Clock;
use crate::attribute::Declaration;
use crate::diag::Errors;
use crate::function::{foreign_attributes, qualifiers};

/// A test, understood. Of an unsound one the expansion takes only the shape.
pub(super) struct Plan(pub(super) Declaration);

impl Plan {
    /// The type of its parameter, if it has one.
    pub(super) fn parameter(&self) -> Option<&Type> {
        self.0.function.sig.inputs.iter().find_map(|input| match input {
            FnArg::Typed(typed) => Some(&*typed.ty),
            FnArg::Receiver(_) => None,
        })
    }

    pub(super) fn stops(&self) -> bool {
        self.0.options.stop.is_some()
    }

    pub(super) fn abandons(&self) -> bool {
        self.0.options.abandon.is_some()
    }
}

pub(super) fn check(declaration: Declaration, errors: &mut Errors) -> Plan {
    let function = &declaration.function;
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
    let options = &declaration.options;
    let everywhere = options.stop.as_ref().or(options.abandon.as_ref());
    if let (None, Some(limit)) = (everywhere, &options.runs) {
        errors.at(
            &limit.key,
            "`limit` is how often a test runs at most that is stopped everywhere: write `stop = \"everywhere\"`, or \
             remove it",
        );
    }
    let real = options.clock.as_ref().filter(|clock| clock.value.written() == Some(&Clock::Real));
    if let (Some(everywhere), Some(_)) = (everywhere, real) {
        errors.at(
            &everywhere.key,
            format!(
                "`{}` needs the paused clock, on which each run has the same polls: remove `clock = \"real\"`",
                everywhere.key
            ),
        );
    }
    Plan(declaration)
}

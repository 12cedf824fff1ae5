//! Judges a `main`, and makes of it everything that the expansion needs.

use proc_macro2::Ident;
use quote::ToTokens as _;
use syn::FnArg;

use super::guards;
use crate::args::{Flavor, Options, Positive};
use crate::attribute::Declaration;
use crate::diag::Errors;
use crate::function::{Function, foreign_attributes, qualifiers};

/// A `main`, understood. Of an unsound one the expansion takes only the shape.
pub(super) struct Plan {
    pub(super) declaration: Declaration,
    /// Guards that are dropped before the last line is written.
    pub(super) guards: Vec<Ident>,
}

pub(super) fn check(declaration: Declaration, errors: &mut Errors) -> Plan {
    signature(&declaration.function, errors);
    conflicts(&declaration.options, errors);
    Plan { guards: guards::alive_in_run(declaration.function.body.stream()), declaration }
}

fn signature(function: &Function, errors: &mut Errors) {
    let sig = &function.sig;
    let ident = &sig.ident;
    qualifiers(sig, "`main`", errors);
    foreign_attributes(&function.attrs, errors);
    if sig.asyncness.is_none() && function.builds_a_runtime() {
        errors.at(
            sig.fn_token,
            format!(
                "`#[canstop::main]` builds the runtime itself, and this function has one already: remove \
                 `#[tokio::main]` or whatever else builds it, and write `async fn {ident}`"
            ),
        );
    } else if sig.asyncness.is_none() {
        errors.at(
            sig.fn_token,
            format!(
                "`#[canstop::main]` builds the runtime and needs a body that runs on it: write \
                 `async fn {ident}`"
            ),
        );
    }
    if !sig.generics.params.is_empty() {
        errors.at(&sig.generics, "nothing calls `main` with type arguments: remove the generics");
    } else if let Some(clause) = &sig.generics.where_clause {
        errors.at(clause, "`main` has nothing to constrain: remove the `where` clause");
    }
    if let Some(receiver) = sig.receiver() {
        errors.at(receiver, "`main` is a free function: move it out of the `impl` block");
    } else if !sig.inputs.is_empty() {
        let takes_lifecycle = sig.inputs.iter().any(|input| match input {
            FnArg::Typed(typed) => crate::tokens::mentions(typed.ty.to_token_stream(), "Lifecycle"),
            FnArg::Receiver(_) => false,
        });
        let mend = if takes_lifecycle {
            "remove the parameter, and ask `Lifecycle::current()` in the body"
        } else {
            "remove the parameters, and read `std::env::args()` in the body"
        };
        errors.at(&sig.inputs, format!("nothing calls `main` with arguments: {mend}"));
    }
}

/// Options that contradict each other.
fn conflicts(options: &Options, errors: &mut Errors) {
    if let (Some(flavor), Some(threads)) = (&options.flavor, &options.worker_threads)
        && flavor.value.written() == Some(&Flavor::CurrentThread)
    {
        errors.at(
            &threads.key,
            "a `current_thread` runtime has no worker threads: remove `worker_threads`, or write \
             `flavor = \"multi_thread\"`",
        );
    }
    if let (Some(delay), Some(grace)) = (&options.drain_delay, &options.grace)
        && let (Some(written), Some(Positive(grace))) = (delay.value.written(), grace.value.written())
        && written >= grace
    {
        errors.at(
            &delay.key,
            "`drain_delay` is a part of `grace` and leaves nothing of it: write a shorter delay \
             or a longer grace",
        );
    }
}

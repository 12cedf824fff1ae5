//! Judges a declaration, and makes of it everything that the expansion needs.

use syn::GenericParam;
use syn::ext::IdentExt as _;

use super::lint::{self, Finding, Watched};
use super::output::Output;
use super::parameters::Parameters;
use crate::args::{Allowances, Given, Options, Setting};
use crate::attribute::Declaration;
use crate::diag::Errors;
use crate::function::{Function, foreign_attributes, qualifiers};

/// A service, understood. It can be made of any function, sound or not: of an unsound one the
/// expansion takes only the shape.
pub(super) struct Plan {
    pub(super) declaration: Declaration,
    pub(super) name: String,
    pub(super) parameters: Parameters,
    pub(super) output: Output,
    /// Whether it starts by itself.
    pub(super) registered: bool,
    /// What its body does that a stop would not know of, or not get past.
    pub(super) findings: Vec<Finding>,
    /// Whether its function, with type arguments if it has type parameters, is one function item, so that
    /// `after(..)` can name it. A function that takes `impl Trait` is many, and nothing can say which is meant.
    pub(super) named: bool,
}

pub(super) fn check(declaration: Declaration, errors: &mut Errors) -> Plan {
    let Declaration { options, function, .. } = &declaration;
    qualifiers(&function.sig, "a service", errors);
    foreign_attributes(&function.attrs, errors);
    let parameters = Parameters::of(function, options, errors);
    let output = Output::of(function, errors);
    kind(options, function, &output, errors);
    let name = match &options.name {
        Some(Given { value: Setting::Written(name), .. }) => name.0.clone(),
        _ => function.sig.ident.unraw().to_string(),
    };
    conflicts(options, function, &name, errors);
    let generic = function.sig.generics.params.iter().any(is_type_or_const);
    Plan {
        name,
        registered: parameters.state.is_empty() && !generic && options.manual.is_none(),
        named: parameters.state.iter().all(|state| state.is_named()),
        findings: lint::find(function.body.stream(), watched(options)),
        parameters,
        output,
        declaration,
    }
}

/// What the body is looked through for. A service that has a thread of its own may block it.
fn watched(options: &Options) -> Watched {
    let allows = |of: fn(&Allowances) -> bool| options.allow.as_ref().is_some_and(|given| of(&given.value));
    Watched {
        raw_spawn: !allows(|allow| allow.raw_spawn),
        blocking_call: !allows(|allow| allow.blocking_call) && options.blocking.is_none(),
    }
}

fn is_type_or_const(parameter: &GenericParam) -> bool {
    !matches!(parameter, GenericParam::Lifetime(_))
}

/// A service is `async`, gives a future, or says that it is `blocking`: one of the three.
fn kind(options: &Options, function: &Function, output: &Output, errors: &mut Errors) {
    let is_async = function.sig.asyncness.is_some();
    match &options.blocking {
        Some(blocking) if is_async => errors.at(
            &blocking.key,
            "`blocking` is for a function that holds its thread, and this one is `async`: remove \
             one of the two",
        ),
        Some(blocking) if output.promised => errors.at(
            &blocking.key,
            "`blocking` is for a function that has done its work when it returns, and this one \
             gives a future: remove `blocking`",
        ),
        None if !is_async && !output.promised => {
            let ident = &function.sig.ident;
            errors.at(
                function.sig.fn_token,
                format!(
                    "a service is async: write `async fn {ident}`, or say \
                     `#[canstop::service(blocking)]` if it holds its thread"
                ),
            );
        }
        _ => {}
    }
}

/// Options that contradict each other or the function.
fn conflicts(options: &Options, function: &Function, name: &str, errors: &mut Errors) {
    if let (Some(cancel), Some(_)) = (&options.cancel, &options.blocking) {
        errors.at(
            &cancel.key,
            "`cancel` drops a service at its next `.await`, and a `blocking` one has none: \
             remove `cancel`, take `lifecycle: Lifecycle` and ask `lifecycle.is_stopping()`",
        );
    }
    if let (Some(own_runtime), Some(_)) = (&options.own_runtime, &options.blocking) {
        errors.at(
            &own_runtime.key,
            "a `blocking` service has a thread of its own and awaits nothing there: remove `own_runtime`, or \
             `blocking` and write `async fn`",
        );
    }
    if options.restarts_never() {
        let backoff = options.backoff.as_ref().map(|given| &given.key);
        let limit = options.limit.as_ref().map(|given| &given.key);
        for key in backoff.into_iter().chain(limit) {
            errors.at(key, format!("nothing uses `{key}` where `restart = \"never\"`: remove one of the two"));
        }
    }
    if let (true, Some(bound_to)) = (options.restarts_never(), &options.bound_to) {
        errors.at(
            &bound_to.key,
            "`bound_to` restarts this service with another one, and `restart = \"never\"` forbids it: \
             write `after(..)` instead, or remove `restart`",
        );
    }
    for need in options.after.iter().flat_map(|given| &given.value.0) {
        if need.is(&function.sig.ident, name) {
            errors.at(need, "a service cannot come after itself: remove it from `after`");
        }
    }
    for need in options.bound_to.iter().flat_map(|given| &given.value.0) {
        if need.is(&function.sig.ident, name) {
            errors.at(need, "a service is not bound to itself: remove it from `bound_to`");
        }
    }
}

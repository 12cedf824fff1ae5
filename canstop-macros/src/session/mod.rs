//! `spawn_session!` and `spawn_blocking_session!`.

mod endless;
mod fields;
mod parse;
mod check;
mod expand;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::args::Location;
use crate::diag::Errors;

/// What is spawned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A future, on the runtime.
    Future,
    /// A closure, on the pool of threads that may block.
    Closure,
}

impl Work {
    fn place(self) -> Location {
        match self {
            Self::Future => Location::Session,
            Self::Closure => Location::BlockingSession,
        }
    }
}

/// One use of either macro: parse, check, expand.
pub(crate) fn spawn(work: Work, input: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let call = parse::parse(work, input, &mut errors);
    let plan = check::check(work, call, &mut errors);
    let faults = errors.finish();
    expand::session(&plan, faults.as_ref())
}

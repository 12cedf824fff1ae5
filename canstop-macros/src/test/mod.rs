//! `#[canstop::test]`: an `async fn` becomes a test with a supervisor of its own.

mod check;
mod expand;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::args::{Location, Options};
use crate::diag::Errors;
use crate::function::Function;

/// The attribute, its arguments and its item: parse, check, expand.
pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let options = Options::read(arguments, Location::Test, &mut errors);
    let function = match Function::read(&item, Location::Test.spelled()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(error);
            // What cannot be understood is given back, so that this fault makes no other.
            return item.into_iter().chain(errors.finish().unwrap_or_default()).collect();
        }
    };
    let plan = check::check(options, function, &mut errors);
    match errors.finish() {
        None => expand::test(&plan),
        Some(faults) => expand::shape(&plan, &faults),
    }
}

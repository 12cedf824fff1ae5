//! `#[canstop::test]`: an `async fn` becomes a test with a supervisor of its own.

mod check;
mod expand;
#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};

use crate::args::Location;
use crate::attribute;
use crate::diag::Errors;

/// The attribute, its arguments and its item.
pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::expand(Location::Test, arguments, item, check::check, expand::test, expand::shape)
}

/// The attribute where the feature `testing` is off: one error that says what to write.
pub(crate) fn without_testing(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let without = |declaration, errors: &mut Errors| {
        let plan = check::check(declaration, errors);
        errors.push(syn::Error::new(
            Span::call_site(),
            "`#[canstop::test]` needs the feature `testing`: write `canstop = { version = \"0.1\", features = \
             [\"testing\"] }` under `[dev-dependencies]`",
        ));
        plan
    };
    attribute::expand(Location::Test, arguments, item, without, expand::test, expand::bare)
}

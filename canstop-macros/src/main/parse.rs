//! From tokens to an options list and a function, nothing judged yet.

use proc_macro2::TokenStream;

use crate::args::{Location, Options};
use crate::diag::Errors;
use crate::function::Function;

/// What the user wrote.
pub(super) struct Declaration {
    pub(super) options: Options,
    pub(super) function: Function,
}

/// Reads the options first: a function that cannot be read must not hide what is wrong with them.
pub(super) fn parse(arguments: TokenStream, item: &TokenStream, errors: &mut Errors) -> syn::Result<Declaration> {
    let options = Options::read(arguments, Location::Main, errors);
    let function = Function::read(item, Location::Main.spelled())?;
    Ok(Declaration { options, function })
}

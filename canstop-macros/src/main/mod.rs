//! `#[canstop::main]`: an `async fn main` becomes a program that is supervised from its first
//! moment.

mod body;
mod check;
mod expand;
mod guards;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::diag::Errors;

/// The attribute, its arguments and its item: parse, check, expand.
pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::new();
    let declaration = match parse::parse(arguments, &item, &mut errors) {
        Ok(declaration) => declaration,
        Err(error) => {
            errors.push(error);
            // What cannot be understood is given back, so that this fault makes no other.
            return item.into_iter().chain(errors.finish().unwrap_or_default()).collect();
        }
    };
    let plan = check::check(declaration, &mut errors);
    match errors.finish() {
        None => expand::program(&plan),
        Some(faults) => expand::shape(&plan, &faults),
    }
}

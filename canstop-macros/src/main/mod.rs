//! `#[canstop::main]`: an `async fn main` becomes a program that is supervised from its first
//! moment.

mod body;
mod guards;
mod check;
mod expand;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::args::Location;
use crate::attribute;

/// The attribute, its arguments and its item.
pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::expand(Location::Main, arguments, item, check::check, expand::program, expand::shape)
}

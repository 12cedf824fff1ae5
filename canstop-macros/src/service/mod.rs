//! `#[canstop::service]`: a function becomes the constructor of the service that it describes.

mod borrow;
mod lint;
mod output;
mod parameters;
mod check;
mod expand;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::args::Location;
use crate::attribute;

/// The attribute, its arguments and its item.
pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute::expand(Location::Service, arguments, item, check::check, expand::service, expand::shape)
}

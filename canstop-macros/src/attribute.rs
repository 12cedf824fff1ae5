//! What the three attributes share: read, judge, expand.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Signature;

use crate::args::{Location, Options};
use crate::diag::Errors;
use crate::function::{Function, Sorted};
use crate::paths::Crate;

/// A function with an attribute, taken apart.
pub(crate) struct Declaration {
    pub(crate) options: Options,
    pub(crate) function: Function,
    pub(crate) attributes: Sorted,
    pub(crate) krate: Crate,
}

impl Declaration {
    /// The user's own function, with this signature and body.
    pub(crate) fn inner(&self, sig: &Signature, body: &TokenStream) -> TokenStream {
        let inner = &self.attributes.inner;
        quote!(#(#inner)* #sig #body)
    }

    /// All of the generated function but its body. It takes nothing.
    pub(crate) fn head(&self, output: TokenStream) -> TokenStream {
        let outer = &self.attributes.outer;
        let Function { vis, sig, .. } = &self.function;
        let (fn_token, ident) = (&sig.fn_token, &sig.ident);
        let parameters = self.function.parenthesized(TokenStream::new());
        quote!(#(#outer)* #vis #fn_token #ident #parameters #output)
    }

    /// What is left of a faulty function that takes nothing, so that only the faults are reported.
    pub(crate) fn shape(&self, head: &TokenStream, faults: &TokenStream) -> TokenStream {
        let body = &self.function.body;
        let inner = self.function.mended(true).map(|sig| self.inner(&sig, &quote!(#body)));
        let body = self.function.braced(quote! {
            #faults
            #inner
            loop {}
        });
        quote!(#head #body)
    }
}

/// Expands one attribute. `check` collects every fault, and `shape` writes what is left of a faulty
/// function.
///
/// The options are read first: a function that cannot be read must not hide what is wrong with them.
pub(crate) fn expand<P>(
    place: Location,
    arguments: TokenStream,
    item: TokenStream,
    check: impl FnOnce(Declaration, &mut Errors) -> P,
    expand: impl FnOnce(&P) -> TokenStream,
    shape: impl FnOnce(&P, &TokenStream) -> TokenStream,
) -> TokenStream {
    let mut errors = Errors::new();
    let options = Options::read(arguments, place, &mut errors);
    let function = match Function::read(&item, place.spelled()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(error);
            // What cannot be understood is given back, so that this fault makes no other.
            return item.into_iter().chain(errors.finish().unwrap_or_default()).collect();
        }
    };
    let attributes = Sorted::new(&function.attrs);
    let krate = Crate::new(options.krate.as_ref().map(|given| &given.value));
    let plan = check(Declaration { options, function, attributes, krate }, &mut errors);
    match errors.finish() {
        None => expand(&plan),
        Some(faults) => shape(&plan, &faults),
    }
}

//! What the three attributes share: read, judge, expand.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Generics, Signature};

use crate::args::{Flag, Given, Location, Options, Setting};
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

    /// All of the generated function but its body: the user's attributes, visibility and name, with these.
    pub(crate) fn head(&self, generics: &Generics, parameters: TokenStream, output: TokenStream) -> TokenStream {
        let outer = &self.attributes.outer;
        let Function { vis, sig, .. } = &self.function;
        let (fn_token, ident) = (&sig.fn_token, &sig.ident);
        let (generics, _, where_clause) = generics.split_for_impl();
        let parameters = self.function.parenthesized(parameters);
        quote!(#(#outer)* #vis #fn_token #ident #generics #parameters #output #where_clause)
    }

    /// What is left of a faulty function, so that only the faults are reported: its callers compile, and so does
    /// its body, in `inner`. `used` are the names of parameters that would be reported as unused.
    pub(crate) fn shape<'a>(
        &self,
        head: &TokenStream,
        faults: &TokenStream,
        inner: Option<TokenStream>,
        used: impl IntoIterator<Item = &'a Ident>,
    ) -> TokenStream {
        let mut used = used.into_iter().peekable();
        let used = used.peek().is_some().then(|| quote!(_ = (#(&#used,)*);));
        let body = self.function.braced(quote! {
            #faults
            #inner
            #used
            loop {}
        });
        quote!(#head #body)
    }

    /// The user's own function as far as a compile that has failed already can check it. A body that `awaits` is
    /// checked as that of an `async` function.
    pub(crate) fn mended(&self, awaits: bool) -> Option<TokenStream> {
        let body = &self.function.body;
        self.function.mended(awaits).map(|sig| self.inner(&sig, &quote!(#body)))
    }
}

/// The options that were given, each as a call of its setter.
#[derive(Default)]
pub(crate) struct Setters(TokenStream);

impl Setters {
    /// The setter of an option with one value. `written` makes an expression of what the attribute says.
    pub(crate) fn set<T>(
        &mut self,
        setter: &str,
        given: Option<&Given<Setting<T>>>,
        written: impl FnOnce(&T) -> TokenStream,
    ) {
        if let Some(given) = given {
            self.call(setter, given.value.expression(written));
        }
    }

    /// The setter of a flag.
    pub(crate) fn flag(&mut self, setter: &str, given: Option<&Given<Flag>>) {
        if given.is_some() {
            self.call(setter, TokenStream::new());
        }
    }

    /// A call of a setter.
    pub(crate) fn call(&mut self, setter: &str, arguments: TokenStream) {
        self.call_as(&Ident::new(setter, Span::call_site()), arguments);
    }

    /// A call of the setter that the user's word names. The compiler's messages about the call point at that word, and
    /// they come before messages about its arguments.
    pub(crate) fn call_as(&mut self, setter: &Ident, arguments: TokenStream) {
        self.0.extend(quote!(.#setter(#arguments)));
    }
}

impl ToTokens for Setters {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
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

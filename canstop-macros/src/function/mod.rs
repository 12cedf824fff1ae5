//! A function as the attributes see it: a signature that is understood, a body that is not.

mod attributes;
mod faults;
#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, ReturnType, Signature, Token, Type, Visibility, token};

use crate::tokens;
pub(crate) use attributes::Sorted;
pub(crate) use faults::{foreign_attributes, qualifiers};

/// A function whose body stays the tokens that it was: it is never parsed, so a syntax newer
/// than this crate, or a half-written line in an editor, cannot get in the way.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig: Signature = input.parse()?;
        if input.peek(Token![;]) {
            return Err(input.error(format!("`{}` needs a body here: write `{{ .. }}`", sig.ident)));
        }
        if !input.peek(token::Brace) {
            return Err(input.error("expected the function's body"));
        }
        // A body that `macro_rules!` captured is in an invisible group.
        let [TokenTree::Group(body)] = &tokens::visible(&[input.parse()?])[..] else {
            return Err(input.error("expected the function's body"));
        };
        let body = body.clone();
        Ok(Self { attrs, vis, sig, body })
    }
}

impl Function {
    /// Reads a function, or says of `spelled` why this is none.
    pub(crate) fn read(item: &TokenStream, spelled: &str) -> syn::Result<Self> {
        syn::parse2(item.clone()).map_err(|error| match not_a_function(item) {
            Some((keyword, kind)) => {
                syn::Error::new_spanned(keyword, format!("`{spelled}` goes on a function, not on {kind}"))
            }
            None => error,
        })
    }

    /// What the function gives, `()` if nothing is written.
    pub(crate) fn output(&self) -> TokenStream {
        match &self.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, written) => written.to_token_stream(),
        }
    }

    /// Whether it is written `-> !`.
    pub(crate) fn is_endless(&self) -> bool {
        matches!(&self.sig.output, ReturnType::Type(_, written) if is_never(written))
    }

    /// Whether the body blocks on a future: `#[tokio::main]` above another attribute leaves such a one.
    pub(crate) fn builds_a_runtime(&self) -> bool {
        tokens::mentions(self.body.stream(), "block_on")
    }

    /// Generated parameters, between the user's own parentheses.
    pub(crate) fn parenthesized(&self, parameters: TokenStream) -> Group {
        grouped(Delimiter::Parenthesis, parameters, self.sig.paren_token.span.join())
    }

    /// A generated body, between the user's own braces. The compiler reports
    /// an item as a whole, such as one that nothing uses, only if it begins and ends in code that a person wrote.
    pub(crate) fn braced(&self, body: TokenStream) -> Group {
        grouped(Delimiter::Brace, body, self.body.span())
    }

    /// The `>` that ends a generated return type, where the user's own parameters ended. Without
    /// it the signature would end in generated code, and be taken for such.
    pub(crate) fn closing(&self) -> Token![>] {
        Token![>](self.sig.paren_token.span.close())
    }

    /// The signature for a compile that has failed already, so far mended that the body is checked
    /// and nothing is reported twice. `None` where no free function can have it.
    pub(crate) fn mended(&self, awaits: bool) -> Option<Signature> {
        if self.sig.receiver().is_some() || self.sig.variadic.is_some() {
            return None;
        }
        let mut sig = self.sig.clone();
        sig.constness = None;
        sig.abi = None;
        // The compiler would report a second time that a body awaits and its function is not `async`.
        if awaits && sig.asyncness.is_none() {
            sig.asyncness = Some(Token![async](sig.fn_token.span));
        }
        Some(sig)
    }
}

fn grouped(delimiter: Delimiter, stream: TokenStream, span: Span) -> Group {
    let mut group = Group::new(delimiter, stream);
    group.set_span(span);
    group
}

/// Whether a type is `!`, seen through what macros put around it.
pub(crate) fn is_never(written: &Type) -> bool {
    match written {
        Type::Never(_) => true,
        Type::Paren(inner) => is_never(&inner.elem),
        Type::Group(inner) => is_never(&inner.elem),
        _ => false,
    }
}

/// The keyword and the kind of an item that is something else than a function.
fn not_a_function(item: &TokenStream) -> Option<(Ident, &'static str)> {
    let after_visibility = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse::<TokenStream>()
    };
    let rest = after_visibility.parse2(item.clone()).ok()?;
    let words: Vec<Ident> = rest
        .into_iter()
        .filter(|token| !matches!(token, TokenTree::Literal(_)))
        .map_while(|token| match token {
            TokenTree::Ident(ident) => Some(ident),
            _ => None,
        })
        .collect();
    if words.iter().any(|word| word == "fn") {
        return None;
    }
    let kind_of = |word: &Ident| match word.to_string().as_str() {
        "struct" => Some("a struct"),
        "enum" => Some("an enum"),
        "union" => Some("a union"),
        "trait" => Some("a trait"),
        "impl" => Some("an `impl` block"),
        "mod" => Some("a module"),
        "static" => Some("a static"),
        "const" => Some("a constant"),
        "type" => Some("a type alias"),
        "use" => Some("an import"),
        "macro_rules" => Some("a macro"),
        "extern" => Some("an `extern` item"),
        "let" => Some("a statement"),
        _ => None,
    };
    words.into_iter().find_map(|word| kind_of(&word).map(|kind| (word, kind)))
}

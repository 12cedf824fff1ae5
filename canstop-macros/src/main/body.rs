//! The body of `main`, rewritten so that its locals outlive the services.
//!
//! A guard in the first line of `main` would otherwise be dropped before the services start. So where
//! the body would return, it first runs the services:
//!
//! ```ignore
//! async fn main() -> R {
//!     let _guard = log();
//!     let output: R = Ok(());
//!     canstop::__private_0_1::AtEnd(output).run().await
//! }
//! ```
//!
//! That is done at the last expression and at each `return` of the body itself, also within the arguments
//! of a macro such as `select!`. A `?` returns an error, which starts nothing, so it stays as it is.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, ExprAsync, ExprClosure, ExprConst, ExprReturn, Item, Macro, ReturnType, Stmt, Type};

use crate::function::Function;
use crate::paths::{Crate, local, located, place_of, type_argument};
use crate::tokens::{end_of_expression, is_punct};

/// The body with the services run at each of its ends. A body that cannot be parsed stays as it is:
/// the compiler reports what is wrong with it, and where it finds nothing, the services run after the
/// body has returned.
pub(super) fn with_services_at_its_ends(function: &Function, krate: &Crate) -> TokenStream {
    let written = function.body.to_token_stream();
    if function.is_endless() {
        return written;
    }
    let Ok(mut block) = syn::parse2::<Block>(written.clone()) else {
        return written;
    };
    let mut ends = Ends::of(function, krate);
    ends.visit_block_mut(&mut block);
    ends.last_expression(&mut block);
    let mut body = Group::new(function.body.delimiter(), block.stmts.iter().map(ToTokens::to_token_stream).collect());
    body.set_span(function.body.span());
    body.to_token_stream()
}

/// Where a body ends, and what is written there.
struct Ends<'a> {
    krate: &'a Crate,
    /// The written return type, as the type of a `let`.
    output: TokenStream,
    /// Whether it is `()`: then a missing value is a value.
    is_unit: bool,
}

impl<'a> Ends<'a> {
    fn of(function: &Function, krate: &'a Crate) -> Self {
        let (output, is_unit) = match &function.sig.output {
            ReturnType::Default => (quote!(()), true),
            ReturnType::Type(_, written) => (type_argument(written), is_unit(written)),
        };
        Self { krate, output, is_unit }
    }

    /// Replaces the expression that the block gives.
    fn last_expression(&self, block: &mut Block) {
        let last = match block.stmts.last() {
            // A statement may have attributes, and not every expression may.
            Some(Stmt::Expr(last, None)) if !has_attributes(last) => Some(last.to_token_stream()),
            // `select! { .. }` is an expression at the end of a block, and may be items as well.
            Some(Stmt::Macro(last)) if last.semi_token.is_none() && !self.is_unit && last.attrs.is_empty() => {
                Some(last.mac.to_token_stream())
            }
            _ => None,
        };
        match last {
            Some(last) => {
                block.stmts.pop();
                block.stmts.extend(self.value(&last));
            }
            None if self.is_unit => block.stmts.push(verbatim(self.run(&quote!(())))),
            // Nothing is given where something must be: the compiler knows best what to report.
            None => {}
        }
    }

    /// `let output: R = value; AtEnd(output).run().await`
    fn value(&self, value: &TokenStream) -> [Stmt; 2] {
        let (output, ty) = (local("output", Span::call_site()), &self.output);
        let place = located(place_of(value));
        // A last expression may diverge, as `bail!(..)` does.
        let bound = quote_spanned!(place=> #[allow(clippy::diverging_sub_expression)] let #output: #ty = #value;);
        [verbatim(bound), verbatim(self.run(&output.to_token_stream()))]
    }

    /// Runs the services unless the value is an error or `run()` was called.
    fn run(&self, value: &TokenStream) -> TokenStream {
        let (at_end, any_output) = (self.krate.private("AtEnd"), self.krate.private("AnyOutput"));
        // A value that diverges leaves this unreachable, and that is no mistake.
        quote!(#[allow(unreachable_code)] {
            use #any_output as _;
            #at_end(#value).run().await
        })
    }

    /// What takes the place of a returned value, which may be left out where it is `()`.
    fn returned(&self, value: &TokenStream) -> Option<TokenStream> {
        if value.is_empty() {
            let run = self.run(&quote!(()));
            return self.is_unit.then(|| quote!({ #run }));
        }
        let statements = self.value(value);
        Some(quote!({ #(#statements)* }))
    }

    /// The arguments of a macro, such as `select!`, with each `return` that is surely the body's own.
    /// What is in an `async` block, a closure or a function stays as it is.
    fn returns_in(&self, arguments: TokenStream) -> TokenStream {
        let tokens: Vec<TokenTree> = arguments.into_iter().collect();
        let mut written = TokenStream::new();
        // Whether a closure or a function begins before the next comma or semicolon.
        let mut is_elsewhere = false;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let before = at.checked_sub(1).map(|before| &tokens[before]);
            let mut end = at + 1;
            match token {
                TokenTree::Ident(word) if word == "return" && !is_elsewhere => {
                    let rest = &tokens[end..];
                    let rest = &rest[..rest.iter().position(|token| is_punct(token, ';')).unwrap_or(rest.len())];
                    let value: TokenStream = rest[..end_of_expression(rest)].iter().cloned().collect();
                    if let Some(value) = self.returned(&value) {
                        end += end_of_expression(rest);
                        written.extend(quote!(#word #value));
                        at = end;
                        continue;
                    }
                }
                TokenTree::Ident(word) if word == "fn" => is_elsewhere = true,
                TokenTree::Punct(sign) if matches!(sign.as_char(), ',' | ';') => is_elsewhere = false,
                // What was before the `=>` is a pattern.
                TokenTree::Punct(sign) if sign.as_char() == '>' && before.is_some_and(|sign| is_punct(sign, '=')) => {
                    is_elsewhere = false;
                }
                TokenTree::Punct(sign) if sign.as_char() == '|' => {
                    let closes = |token: &TokenTree| is_punct(token, '|');
                    if before.is_none_or(begins_an_expression) {
                        is_elsewhere = true;
                        end = tokens[end..].iter().position(closes).map_or(end, |close| end + close + 1);
                    } else if tokens.get(end).is_some_and(closes) {
                        end += 1;
                    }
                }
                TokenTree::Group(group) if !is_elsewhere && !before.is_some_and(is_async) => {
                    let mut inner = Group::new(group.delimiter(), self.returns_in(group.stream()));
                    inner.set_span(group.span());
                    written.extend([TokenTree::Group(inner)]);
                    at = end;
                    continue;
                }
                _ => {}
            }
            written.extend(tokens[at..end].iter().cloned());
            at = end;
        }
        written
    }
}

impl VisitMut for Ends<'_> {
    fn visit_expr_return_mut(&mut self, end: &mut ExprReturn) {
        visit_mut::visit_expr_return_mut(self, end);
        if let Some(value) = self.returned(&end.expr.to_token_stream()) {
            end.expr = Some(Box::new(Expr::Verbatim(value)));
        }
    }

    fn visit_macro_mut(&mut self, called: &mut Macro) {
        called.tokens = self.returns_in(called.tokens.clone());
    }

    // What returns from something else than the body.
    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}
    fn visit_expr_async_mut(&mut self, _: &mut ExprAsync) {}
    fn visit_expr_const_mut(&mut self, _: &mut ExprConst) {}
    fn visit_item_mut(&mut self, _: &mut Item) {}
}

/// Whether an expression begins after this token, and does not go on.
fn begins_an_expression(before: &TokenTree) -> bool {
    const KEYWORDS: [&str; 8] = ["async", "break", "else", "if", "in", "match", "move", "return"];
    match before {
        TokenTree::Ident(word) => KEYWORDS.iter().any(|keyword| word == keyword),
        TokenTree::Punct(sign) => sign.as_char() != '?',
        TokenTree::Literal(_) | TokenTree::Group(_) => false,
    }
}

/// Whether a group after this word is the body of an `async` block.
fn is_async(before: &TokenTree) -> bool {
    matches!(before, TokenTree::Ident(word) if word == "async" || word == "move")
}

/// Tokens that are written as they are.
fn verbatim(tokens: TokenStream) -> Stmt {
    Stmt::Expr(Expr::Verbatim(tokens), None)
}

fn has_attributes(expression: &Expr) -> bool {
    let first = expression.to_token_stream().into_iter().next();
    first.is_some_and(|first| is_punct(&first, '#'))
}

fn is_unit(written: &Type) -> bool {
    match written {
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        Type::Paren(inner) => is_unit(&inner.elem),
        Type::Group(inner) => is_unit(&inner.elem),
        _ => false,
    }
}

//! Faults of a function that every attribute refuses.

use quote::ToTokens as _;
use syn::{Attribute, Path, Safety, Signature};

use crate::diag::Errors;

/// Refuses `const`, `unsafe`, `extern` and `...` on what canstop itself is to call.
pub(crate) fn qualifiers(sig: &Signature, what: &str, errors: &mut Errors) {
    if let Some(token) = &sig.constness {
        errors.at(token, format!("{what} runs when the program does, never at compile time: remove `const`"));
    }
    if !matches!(sig.safety, Safety::Default) {
        errors.at(
            &sig.safety,
            format!(
                "canstop calls {what} and cannot keep the promise that `unsafe fn` asks of its \
                 caller: remove `unsafe`, and write `unsafe {{ .. }}` where the body needs it"
            ),
        );
    }
    if let Some(abi) = &sig.abi {
        let written = abi.to_token_stream();
        errors.at(abi, format!("{what} is called by canstop, from Rust: remove `{written}`"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic, format!("{what} takes a fixed number of parameters: remove `...`"));
    }
}

/// Refuses attributes that would do the same work a second time.
pub(crate) fn foreign_attributes(attrs: &[Attribute], errors: &mut Errors) {
    for attr in attrs {
        let path = attr.path();
        match words(path).as_slice() {
            [krate, name] if krate == "canstop" && ["main", "service", "test"].iter().any(|own| name == own) => {
                errors.at(path, "one function takes one canstop attribute: remove this one");
            }
            [krate, name] if krate == "tokio" && name == "main" => errors.at(
                path,
                "`#[canstop::main]` builds the runtime itself: remove `#[tokio::main]`, and give \
                 `flavor` and `worker_threads` to `#[canstop::main(..)]`",
            ),
            [krate, name] if krate == "tokio" && name == "test" => {
                errors.at(path, "`#[canstop::test]` makes the test and its runtime itself: remove `#[tokio::test]`")
            }
            _ => {}
        }
    }
}

fn words(path: &Path) -> Vec<String> {
    let words = path.segments.iter();
    words.map(|segment| segment.ident.to_string()).collect()
}

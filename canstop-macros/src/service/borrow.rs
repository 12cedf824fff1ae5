//! Finds what a type borrows without saying from whom.
//!
//! A named lifetime is left alone: `'static` is no borrow, and any other is refused where it is
//! declared. So each mistake is found once.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{GenericArgument, Lifetime, Path, PathArguments, QSelf, Type, TypeParamBound, TypeReference};

/// The first borrow in a parameter's or a return value's type, as tokens to point at.
pub(super) fn find(written: &Type) -> Option<TokenStream> {
    match written {
        Type::Reference(reference) => in_reference(reference),
        Type::Array(inner) => find(&inner.elem),
        Type::Group(inner) => find(&inner.elem),
        Type::Paren(inner) => find(&inner.elem),
        Type::Slice(inner) => find(&inner.elem),
        Type::Tuple(inner) => inner.elems.iter().find_map(find),
        Type::ImplTrait(inner) => inner.bounds.iter().find_map(in_bound),
        Type::TraitObject(inner) => inner.bounds.iter().find_map(in_bound),
        Type::Path(inner) => in_path(inner.qself.as_ref(), &inner.path),
        // The caller of a function pointer lends its parameters; the rest borrows nothing, or is opaque.
        _ => None,
    }
}

fn in_reference(reference: &TypeReference) -> Option<TokenStream> {
    match &reference.lifetime {
        None => {
            let (and, elem) = (&reference.and_token, &reference.elem);
            let mutability = &reference.mutability;
            Some(quote!(#and #mutability #elem))
        }
        Some(lifetime) => elided(lifetime).or_else(|| find(&reference.elem)),
    }
}

fn elided(lifetime: &Lifetime) -> Option<TokenStream> {
    (lifetime.ident == "_").then(|| lifetime.to_token_stream())
}

fn in_path(qself: Option<&QSelf>, path: &Path) -> Option<TokenStream> {
    let of_self = qself.and_then(|qself| find(&qself.ty));
    of_self.or_else(|| {
        let mut segments = path.segments.iter();
        segments.find_map(|segment| match &segment.arguments {
            PathArguments::AngleBracketed(list) => list.args.iter().find_map(in_argument),
            // `Fn(&str) -> &str` borrows from its caller.
            PathArguments::None | PathArguments::Parenthesized(_) => None,
        })
    })
}

fn in_argument(argument: &GenericArgument) -> Option<TokenStream> {
    match argument {
        GenericArgument::Lifetime(lifetime) => elided(lifetime),
        GenericArgument::Type(written) => find(written),
        GenericArgument::AssocType(binding) => find(&binding.ty),
        GenericArgument::Constraint(constraint) => constraint.bounds.iter().find_map(in_bound),
        _ => None,
    }
}

fn in_bound(bound: &TypeParamBound) -> Option<TokenStream> {
    match bound {
        TypeParamBound::Lifetime(lifetime) => elided(lifetime),
        // What `for<'a>` binds is no borrow of the service's.
        TypeParamBound::Trait(bound) if bound.lifetimes.is_none() => in_path(None, &bound.path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use syn::parse_str;

    fn borrows(written: &str) -> bool {
        find(&parse_str(written).expect(written)).is_some()
    }

    #[test]
    fn a_borrow_without_a_name_is_found_however_deep() {
        for written in [
            "&str",
            "&mut Pool",
            "(u8, &str)",
            "[&str; 2]",
            "Vec<&str>",
            "Option<Box<[&str]>>",
            "Cow<'_, str>",
            "Box<dyn Job + '_>",
            "impl Job + '_",
            "impl Iterator<Item = &str>",
            "&'static [&str]",
            "<Vec<&str> as IntoIterator>::Item",
        ] {
            assert!(borrows(written), "{written}");
        }
    }

    #[test]
    fn what_is_owned_static_or_the_callers_is_not() {
        for written in [
            "Pool",
            "&'static str",
            "Cow<'static, str>",
            "Vec<&'static str>",
            "fn(&str) -> &str",
            "Box<dyn Fn(&str) -> &str + Send>",
            "impl Fn(&str) -> Option<&str>",
            "Box<dyn for<'a> Handler<&'a str>>",
            "Arc<Mutex<Vec<u8>>>",
            "!",
        ] {
            assert!(!borrows(written), "{written}");
        }
    }
}

//! The argument of `after` and `bound_to`.

use std::any::{TypeId, type_name};

use super::service::Service;
use crate::machine::Reference;

/// Something that names a service: the service function itself, or a service's name.
///
/// `Marker` only distinguishes the implementations, and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "not a service function",
    note = "put `#[canstop::service]` on the function that is named here"
)]
pub trait Dependency<Marker> {
    /// The service that it names.
    #[doc(hidden)]
    fn reference(self) -> NamedService;
}

/// The service that a [`Dependency`] names.
#[derive(Debug)]
pub struct NamedService(pub(super) Reference);

#[derive(Debug)]
#[doc(hidden)]
pub struct ByName;

#[diagnostic::do_not_recommend]
impl Dependency<ByName> for &str {
    fn reference(self) -> NamedService {
        NamedService(Reference::Name(self.to_owned()))
    }
}

#[diagnostic::do_not_recommend]
impl Dependency<ByName> for String {
    fn reference(self) -> NamedService {
        NamedService(Reference::Name(self))
    }
}

macro_rules! functions {
    ($(($($parameter:ident),*))*) => { $(
        #[diagnostic::do_not_recommend]
        impl<F, R, $($parameter),*> Dependency<fn($($parameter),*) -> R> for F
        where
            F: Fn($($parameter),*) -> Service<R> + 'static,
        {
            fn reference(self) -> NamedService {
                NamedService(Reference::Function { identity: TypeId::of::<F>(), path: type_name::<F>() })
            }
        }
    )* };
}

functions! {
    () (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, G) (A, B, C, D, E, G, H) (A, B, C, D, E, G, H, I)
}

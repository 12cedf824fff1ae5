//! The argument of `after` and `bound_to`. A service function is one too: see `service`, which knows its type.

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

/// The service that a [`Dependency`] names. Others can make none, so they implement no [`Dependency`].
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

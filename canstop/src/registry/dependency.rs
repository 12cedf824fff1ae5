//! The argument of `after` and `bound_to`. A service function is one too: see `service`, which knows its type.

use std::marker::PhantomData;

use crate::machine::Reference;

/// Something that names a service: the service function itself, or a service's name.
///
/// `Marker` only distinguishes the implementations, and is always inferred.
///
/// ```
/// use canstop::testing::Harness;
/// use canstop::{Lifecycle, Service};
///
/// #[canstop::service]
/// async fn database(lifecycle: Lifecycle) {
///     lifecycle.stopping().await;
/// }
///
/// Harness::new().run(async |mut sup| {
///     let service = |name| Service::new(name, |lifecycle: Lifecycle| async move { lifecycle.stopping().await });
///     sup.start(database());
///     sup.start(service("cache").after(database));
///     sup.start(service("http").after(database).after("cache"));
///     assert!(sup.stop().await.is_clean());
/// });
/// ```
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

/// Marks what implements [`Dependency`] only as long as the compiler cannot infer a parameter of the function.
///
/// A function that takes `impl Trait` or has type parameters is many functions, and its name alone names none of
/// them. By itself the compiler would report the parameter's bound, which says nothing of services. With further
/// implementations, which hold for no type that a program can write, [`Dependency`] is ambiguous for such a function,
/// and the compiler shows the line of `after` that says what to write.
#[derive(Debug)]
#[doc(hidden)]
pub struct ByNameOnly<const COPY: u8, Place, Function>(PhantomData<(Place, Function)>);

/// A list of parameters, `(A, (B, ()))`, of which one is not inferred. `Place` only distinguishes which.
#[doc(hidden)]
pub trait HasUnknown<Place> {}

/// A parameter that is not inferred could be this. Nothing else is.
#[derive(Debug)]
#[doc(hidden)]
pub struct Unknown(());

/// The first parameter.
#[derive(Debug)]
#[doc(hidden)]
pub struct First;

/// One of the others.
#[derive(Debug)]
#[doc(hidden)]
pub struct Later<Place>(PhantomData<Place>);

impl<Others> HasUnknown<First> for (Unknown, Others) {}

impl<Parameter, Place, Others: HasUnknown<Place>> HasUnknown<Later<Place>> for (Parameter, Others) {}

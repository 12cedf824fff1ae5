//! Services that register themselves: those whose only parameter is their lifecycle.

use super::service::{AnyService, Service};

/// A function without parameters that makes a service, as in `services(..)` of [`main`](macro@crate::main).
///
/// ```no_run
/// #[canstop::service]
/// async fn http(lifecycle: canstop::Lifecycle) {
///     lifecycle.stopping().await;
/// }
///
/// #[canstop::main(services(http))]
/// async fn main() {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not make a service by itself",
    label = "not a service function without state",
    note = "put `#[canstop::service]` on the function that is named here; one that takes more than its `Lifecycle` is started in `main` instead, by `canstop::start(..)`"
)]
// Not sealed: the compiler would report the bound on a sealed trait in place of the message above.
pub trait MakesService<R> {
    /// The service.
    fn make(self) -> Service<R>;
}

#[diagnostic::do_not_recommend]
impl<F, R> MakesService<R> for F
where
    F: FnOnce() -> Service<R>,
{
    fn make(self) -> Service<R> {
        self()
    }
}

/// A service function that `#[canstop::service]` has registered.
#[derive(Debug)]
pub struct Registration {
    module: &'static str,
    binary: Option<&'static str>,
    make: fn() -> AnyService,
}

impl Registration {
    /// A registration, which the macro submits. `binary` is the name of the binary target that it is compiled for;
    /// `None` for a library.
    #[must_use]
    pub const fn new(module: &'static str, binary: Option<&'static str>, make: fn() -> AnyService) -> Self {
        Self { module, binary, make }
    }
}

inventory::collect!(Registration);

/// A crate whose registered services start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Linked {
    /// A crate, by its name or that of any of its modules.
    Crate(&'static str),
    /// One target of a package: its library and its binary may have the same name.
    Target { module: &'static str, binary: Option<&'static str> },
}

impl Linked {
    fn has(self, registration: &Registration) -> bool {
        match self {
            Self::Crate(module) => crate_of(module) == crate_of(registration.module),
            Self::Target { module, binary } => {
                crate_of(module) == crate_of(registration.module) && binary == registration.binary
            }
        }
    }
}

/// The names of all services that have registered themselves, whatever their crate.
pub(crate) fn registered_names() -> Vec<String> {
    let made = inventory::iter::<Registration>().map(|registration| (registration.make)());
    let mut names: Vec<_> = made.map(|service| service.name().to_owned()).collect();
    names.sort();
    names
}

fn crate_of(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

/// The services that are registered in these crates, in the order of their names, because the linker's order is
/// arbitrary.
pub(crate) fn registered_in(linked: &[Linked]) -> Vec<AnyService> {
    let mut services: Vec<_> = inventory::iter::<Registration>()
        .filter(|registration| linked.iter().any(|linked| linked.has(registration)))
        .map(|registration| (registration.make)())
        .collect();
    services.sort_by(|a, b| a.name().cmp(b.name()));
    services
}

//! The only door for generated code. Nothing in here is part of the public interface.

use std::any::TypeId;
use std::fmt::{Debug, Display};

pub use canstop_macros::{__spawn_blocking_session, __spawn_session};
pub use inventory;
pub use tracing;
use tracing::field::{DebugValue, DisplayValue};
use tracing::instrument::Instrument;

use crate::lifecycle::Lifecycle;
use crate::machine::Place;
use crate::registry::Service;
pub use crate::registry::{AnyService, Registration};
pub use crate::session::{
    Anything, BlockingProbe, Probe, Site, function_of, observe, spawn_blocking_session, spawn_session,
};

/// What an attribute expands to, as it is. It goes through here where the attribute was told where
/// this crate is: were it told wrong, this one path would not be found, and not every other.
#[doc(hidden)]
#[macro_export]
macro_rules! __expansion {
    ($($tokens:tt)*) => { $($tokens)* };
}
pub use __expansion as expansion;

/// A service of whatever kind, for its registration.
pub fn any_service<R>(service: Service<R>) -> AnyService {
    service.into_any()
}

/// What the first parameter of a service may be.
#[diagnostic::on_unimplemented(
    message = "the first parameter of a service is its `Lifecycle`, not `{Self}`",
    label = "a service hears by its `Lifecycle` that it should stop",
    note = "put `lifecycle: canstop::Lifecycle` before it; a service that needs none says `#[canstop::service(cancel)]`"
)]
pub trait LifecycleParameter: Sized {
    /// The lifecycle as the type that the user wrote.
    fn of(lifecycle: Lifecycle) -> Self;
}

impl LifecycleParameter for Lifecycle {
    fn of(lifecycle: Lifecycle) -> Self {
        lifecycle
    }
}

/// State that a service may be restarted with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Clone`, and this service may be restarted",
    label = "its state is cloned at each restart",
    note = "derive `Clone`, wrap it in `Arc`, or say `restart = \"never\"`"
)]
pub trait RestartState: Sized {
    /// A clone for the next life.
    fn again(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> RestartState for T {
    fn again(&self) -> Self {
        self.clone()
    }
}

/// Notes which function made a service, and where that stands.
pub fn declare<R, F: 'static>(service: Service<R>, file: &'static str, line: u32, _constructor: F) -> Service<R> {
    service.declared(Place { file, line }, Some(TypeId::of::<F>()))
}

/// Notes where a service stands whose function has no single type.
pub fn declare_anonymous<R>(service: Service<R>, file: &'static str, line: u32) -> Service<R> {
    service.declared(Place { file, line }, None)
}

/// A field that is shown with `%`. A value whose type cannot be is refused here, once, and not in
/// each of the places where tracing asks for it.
pub fn displayed(value: &dyn Display) -> DisplayValue<&dyn Display> {
    tracing::field::display(value)
}

/// A field that is shown with `?`.
pub fn debugged(value: &dyn Debug) -> DebugValue<&dyn Debug> {
    tracing::field::debug(value)
}

/// A field that is a value by itself.
pub fn recorded(value: &dyn tracing::Value) -> &dyn tracing::Value {
    value
}

/// Runs a session in a span that has its fields. It asks of the future itself what is asked of a
/// session, so that the compiler does not speak of the span's wrapper.
pub fn in_span<F>(future: F, span: tracing::Span) -> impl Future<Output = F::Output> + Send + 'static
where
    F: Future + Send + 'static,
{
    future.instrument(span)
}

/// Runs a blocking session in a span that has its fields.
pub fn blocking_in_span<F, T>(closure: F, span: tracing::Span) -> impl FnOnce() -> T + Send + 'static
where
    F: FnOnce() -> T + Send + 'static,
{
    move || span.in_scope(closure)
}

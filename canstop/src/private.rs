//! The only door for generated code. Nothing in here is part of the public interface.

use std::any::TypeId;
use std::fmt::{Debug, Display};

pub use canstop_macros::{__spawn_blocking_session, __spawn_session};
pub use inventory;
pub use tracing;
use tracing::field::{DebugValue, DisplayValue};

pub use crate::lifecycle::Within;
use crate::registry::Service;
// What only the compiler names: the parameters that it infers, and what a sealed method returns.
pub use crate::registry::{AnyOutput, AnyService, AtEnd, Declared, Registration};
pub use crate::registry::{Boxable, BoxedSend, BoxedSendSync, ByName, ByNameOnly, NamedService};
pub use crate::registry::{First, HasUnknown, Later, Unknown};
pub use crate::session::{
    BlockingOutputProbe, NotAResult, OrTask, OutputObserver, OutputProbe, Place, PlacedSession, Site, function_of,
    observe,
};
pub use crate::session::{DebugResult, DisplayResult, ErrorResult, SilentResult};

/// Passes an expansion on unchanged. An attribute with `crate = path` writes its expansion in here: with a wrong path
/// this gives one error instead of many.
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

/// Notes which function made a service, so that `after` can name it.
pub fn identified<R, F: 'static>(service: Service<R>, _constructor: F) -> Service<R> {
    service.identified(TypeId::of::<F>())
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

/// What a `main` that never returns becomes: `!` itself cannot be named as an output.
pub async fn endless<F: Future>(future: F) {
    future.await;
}

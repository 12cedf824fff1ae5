//! Services: making them, starting them, and registration.

mod output;
mod dependency;
mod parameter;
mod service;
mod declared;
mod registered;
mod handle;
mod start;
mod at_end;

pub use at_end::{AnyOutput, AtEnd};
pub use declared::{Declared, ServiceFunction};
pub use dependency::{ByName, ByNameOnly, Dependency, First, HasUnknown, Later, NamedService, Unknown};
pub use handle::{RestartError, ServiceHandle};
pub use output::{Boxable, BoxedSend, BoxedSendSync, MainOutput, ServiceOutput};
pub use parameter::{LifecycleParameter, RestartState};
pub use registered::{MakesService, Registration};
pub use service::{AnyService, Service};
pub use start::{run, start};

pub(crate) use at_end::poll_to_end;
pub(crate) use registered::{Linked, registered_in, registered_names};
pub(crate) use start::hand_over;

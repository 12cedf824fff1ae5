//! Failures of user code as text: errors and panics.
//!
//! User code may misbehave here too: a `Display` may fail, panic or write without end, a chain of sources may be
//! circular, and a panic's payload may panic when it is dropped.

mod text;
mod panics;
mod error;

pub(crate) use error::{debug_text, display_text, with_sources};
pub(crate) use panics::{catch, current_panic, install_hook, install_hook_again, install_hook_for_sessions};

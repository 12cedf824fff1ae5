//! Sessions of a lifecycle, spawned from any thread.

use super::enter::EnterGuard;
use super::handle::Lifecycle;
use crate::session::{Place, PlacedSession, Session};

/// The scope of a lifecycle, on the program's runtime.
#[derive(Clone, Copy, Debug)]
pub struct Within<'a>(&'a Lifecycle);

impl Place for Within<'_> {
    type Entered = EnterGuard;

    fn enter(&self) -> Option<EnterGuard> {
        Some(self.0.enter())
    }
}

impl Session {
    /// Lets it belong to this lifecycle, whatever thread spawns it.
    #[doc(hidden)]
    #[must_use]
    pub const fn within(self, lifecycle: &Lifecycle) -> PlacedSession<Within<'_>> {
        self.placed(Within(lifecycle))
    }
}

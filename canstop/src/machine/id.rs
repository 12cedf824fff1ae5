//! How the machine and the control plane name things.

/// A service of this supervisor, numbered in the order in which services were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ServiceId(pub(crate) usize);

/// One run of a service: each restart begins a new one.
///
/// A completion carries it, so that a late message about an earlier run cannot end a later one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunId(pub(crate) u32);

impl RunId {
    #[must_use]
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Whom a session belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    /// No service: `main`, or a task that another library spawned.
    Root,
    /// The service whose code, or whose session, spawned it.
    Service(ServiceId),
    /// A group of sessions with a grace of their own, numbered in the order in which groups were
    /// added. It belongs to one of the others, its home.
    Group(usize),
}

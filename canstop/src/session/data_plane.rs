//! Handles of the data plane that are given back with the last thing that uses them.
//!
//! A runtime's handle keeps its descriptors open. A process may run many supervisors in a row, as tests
//! do, so no handle lives for ever: each thread of the data plane and each guard owns one.

use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use tokio::runtime::{EnterGuard, Handle, Id};
use tokio::task::JoinHandle;

/// The handle that the current thread owns, reached without a reference count.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnHandle(NonNull<Handle>);

impl OwnHandle {
    /// The caller keeps `handle` for as long as its thread can reach this.
    pub(super) fn of(handle: &Arc<Handle>) -> Self {
        Self(NonNull::from(&**handle))
    }

    #[track_caller]
    #[inline]
    pub(super) fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        #[expect(unsafe_code, reason = "the hot path pays no reference count for the handle")]
        // SAFETY: a thread hands out an `OwnHandle` only while it owns the handle (see
        // `thread::replace_belonging`), the value cannot leave the thread (`NonNull` is not `Send`), and
        // the thread gives the handle up only where it drops a guard or ends. `Handle::spawn` runs neither
        // before it returns: it polls nothing, and of the user's code it drops at most the future.
        let handle = unsafe { self.0.as_ref() };
        handle.spawn(future)
    }
}

/// While it lives, its thread is in the data plane's runtime.
pub(crate) struct EnteredRuntime {
    // Dropped before the handle that it borrows.
    _guard: EnterGuard<'static>,
    handle: Arc<Handle>,
}

impl EnteredRuntime {
    pub(crate) fn enter(handle: Arc<Handle>) -> Self {
        let borrowed: *const Handle = &raw const *handle;
        #[expect(unsafe_code, reason = "a guard that owns the handle which it borrows")]
        // SAFETY: the handle lives in the allocation that `handle` shares, which is never written to and
        // does not move with this value. The guard is private and is dropped first.
        let guard = unsafe { &*borrowed }.enter();
        Self { _guard: guard, handle }
    }

    pub(crate) fn id(&self) -> Id {
        self.handle.id()
    }
}

impl fmt::Debug for EnteredRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnteredRuntime")
    }
}

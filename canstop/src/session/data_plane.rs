//! The runtime of the user's code, and handles of it that are dropped with the last thing that uses them.
//!
//! A runtime's handle keeps its descriptors open. A process may run many supervisors in a row, as tests do, so
//! no handle is leaked: each thread of the data plane and each guard owns one.

use std::fmt;
use std::mem;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{EnterGuard, Handle, Id};
use tokio::task::JoinHandle;

use super::task;

/// A supervisor's data plane.
#[derive(Debug, Default)]
pub(super) struct DataPlane(Mutex<Attachment>);

#[derive(Debug, Default)]
enum Attachment {
    #[default]
    Awaited,
    Attached(Arc<Handle>),
    Detached,
}

impl DataPlane {
    fn lock(&self) -> MutexGuard<'_, Attachment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attaches this runtime unless there was one before. Returns whether it did.
    pub(super) fn attach(&self, handle: &Handle) -> bool {
        let mut attachment = self.lock();
        let is_first = matches!(*attachment, Attachment::Awaited);
        if is_first {
            *attachment = Attachment::Attached(Arc::new(handle.clone()));
        }
        is_first
    }

    /// Drops the handle of a runtime that was shut down.
    pub(super) fn detach(&self) {
        let before = mem::replace(&mut *self.lock(), Attachment::Detached);
        drop(before);
    }

    pub(super) fn handle(&self) -> Option<Arc<Handle>> {
        match &*self.lock() {
            Attachment::Attached(handle) => Some(Arc::clone(handle)),
            Attachment::Awaited | Attachment::Detached => None,
        }
    }
}

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
    pub(super) fn spawn<F>(self, name: impl FnOnce() -> String, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        #[expect(unsafe_code, reason = "the hot path pays no reference count for the handle")]
        // SAFETY: a thread returns an `OwnHandle` only while it owns the handle (see
        // `thread::replace_belonging`), the value cannot leave the thread (`NonNull` is not `Send`), and
        // the thread drops the handle only where it drops a guard or ends. `Handle::spawn` runs neither
        // before it returns: it polls nothing, and of the user's code it drops at most the future.
        let handle = unsafe { self.0.as_ref() };
        task::spawn_on(handle, name, future)
    }
}

/// While it exists, its thread is in the data plane's runtime.
pub(crate) struct EnteredRuntime {
    // Dropped before the handle that it borrows.
    _guard: EnterGuard<'static>,
    handle: Arc<Handle>,
}

impl EnteredRuntime {
    pub(crate) fn enter(handle: Arc<Handle>) -> Self {
        let borrowed: *const Handle = &raw const *handle;
        #[expect(unsafe_code, reason = "a guard that owns the handle which it borrows")]
        // SAFETY: the handle is in the allocation that `handle` shares, which is never written to and
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

//! A shared word that refers to a value that is never freed.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// An atomic `Option<&'static T>`.
pub(super) struct StaticRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> StaticRef<T> {
    pub(super) const fn none() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub(super) fn load(&self, ordering: Ordering) -> Option<&'static T> {
        #[expect(unsafe_code, reason = "a reference cannot be loaded atomically, a pointer can")]
        // SAFETY: only `store` writes the word, and and it stores null or a `&'static T`. The value
        // may be shared between threads, by the bound on this block.
        unsafe {
            self.0.load(ordering).as_ref()
        }
    }

    /// Another word with the same reference. Relaxed.
    pub(super) fn copy(&self) -> Self {
        Self(AtomicPtr::new(self.0.load(Ordering::Relaxed)))
    }

    /// Returns true if it refers to this value. Relaxed.
    #[inline]
    pub(super) fn is(&self, value: &'static T) -> bool {
        ptr::eq(self.0.load(Ordering::Relaxed), value)
    }

    #[inline]
    pub(super) fn store(&self, value: Option<&'static T>, ordering: Ordering) {
        self.0.store(value.map_or(ptr::null_mut(), |value| ptr::from_ref(value).cast_mut()), ordering);
    }
}

impl<T> std::fmt::Debug for StaticRef<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StaticRef").field(&self.0).finish()
    }
}

//! The atomics of what loom models: `tests/loom.rs` puts loom's own in their place.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence, fence};
pub(super) use std::thread::yield_now;

/// This side's half of a barrier whose other half a watcher brings for all threads at once. It keeps
/// the compiler from reordering, and costs nothing.
#[inline]
pub(super) fn light_barrier() {
    if cfg!(miri) {
        fence(Ordering::SeqCst);
    } else {
        compiler_fence(Ordering::SeqCst);
    }
}

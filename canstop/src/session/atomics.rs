//! The atomics of what loom models: `tests/loom.rs` puts loom's own in their place.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, compiler_fence, fence};
pub(super) use std::thread::yield_now;

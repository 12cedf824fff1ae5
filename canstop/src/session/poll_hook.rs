//! Calls a test's hook at each poll of a service or a session. Production builds have none of this.

use std::cell::RefCell;

use super::scope::{Kind, Scope};
use super::site::Site;

/// What is polled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolledCode {
    pub(crate) kind: Kind,
    pub(crate) site: &'static Site,
    /// The service, or the root.
    pub(crate) home: &'static Scope,
}

type Hook = Box<dyn FnMut(PolledCode)>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Calls `hook` at each poll on this thread, until the guard is dropped.
pub(crate) fn hook_polls(hook: impl FnMut(PolledCode) + 'static) -> HookedPolls {
    HOOK.set(Some(Box::new(hook)));
    HookedPolls(())
}

/// Removes the hook when it is dropped.
#[derive(Debug)]
pub(crate) struct HookedPolls(());

impl Drop for HookedPolls {
    fn drop(&mut self) {
        HOOK.take();
    }
}

/// A poll begins.
pub(super) fn polled(polled: PolledCode) {
    // A poll inside a poll finds no hook: it is a part of the outer one.
    if let Some(mut hook) = HOOK.take() {
        hook(polled);
        HOOK.set(Some(hook));
    }
}

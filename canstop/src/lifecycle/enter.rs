//! Entering a supervisor on a thread that is not the data plane's.

use std::cell::RefCell;
use std::marker::PhantomData;

use tokio::runtime::Handle;

use crate::session::{EnteredRuntime, EnteredScope, Scope};

/// While the guard exists, its thread belongs to the supervisor. See [`Lifecycle::enter`](super::Lifecycle::enter).
///
/// Several on one thread may be dropped in any order; the thread leaves all of them when the last one that
/// was entered is dropped. A guard of tokio's own `Handle::enter`, taken while this one is held, must be
/// dropped before it.
///
/// [`Lifecycle::enter`](super::Lifecycle::enter) has an example.
#[derive(Debug)]
#[must_use = "the thread leaves the supervisor when this is dropped"]
pub struct EnterGuard {
    number: u64,
    /// It must be dropped on the thread that it changed.
    not_send: PhantomData<*const ()>,
}

/// What a guard has entered. The fields are dropped in this order.
struct Entered {
    number: u64,
    is_dropped: bool,
    _scope: EnteredScope,
    runtime: Option<EnteredRuntime>,
}

thread_local! {
    /// What this thread's guards have entered, the first one first.
    static ENTERED: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
}

impl EnterGuard {
    pub(super) fn new(scope: &'static Scope) -> Self {
        let runtime = scope.hub.data_plane().map(EnteredRuntime::enter);
        let scope = scope.enter();
        let number = ENTERED.with_borrow_mut(|entered| {
            let number = entered.last().map_or(0, |last| last.number + 1);
            entered.push(Entered { number, is_dropped: false, _scope: scope, runtime });
            number
        });
        Self { number, not_send: PhantomData }
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        // In a destructor of the thread itself the list may be gone, and nothing is entered any more.
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            if let Some(own) = entered.iter_mut().find(|own| own.number == self.number) {
                own.is_dropped = true;
            }
            while let Some(last) = entered.pop_if(|last| last.is_dropped) {
                last.leave();
            }
        });
    }
}

impl Entered {
    /// # Panics
    ///
    /// If the thread has entered another runtime since, and is still there.
    fn leave(self) {
        if let Some(runtime) = &self.runtime
            && Handle::try_current().is_ok_and(|current| current.id() != runtime.id())
            && !std::thread::panicking()
        {
            panic!(
                "the guard of `lifecycle.enter()` was dropped while a guard of another runtime, which this thread \
                 entered later, is still held. Drop them in reverse order: first the guard of `Handle::enter()`, then \
                 that of `lifecycle.enter()`."
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::ptr;

    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::machine::{Location, Owner, RunId, ServiceId};
    use crate::session::{Supervisor, current_scope};

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    fn scopes(runtime: &Runtime) -> [&'static Scope; 3] {
        let (supervisor, _inbox) = Supervisor::new();
        supervisor.attach_data_plane(runtime.handle());
        let place = Location { file: "enter.rs", line: 1 };
        let scope = |id| supervisor.new_scope(Owner::Service(ServiceId(id)), "service", place, RunId(1));
        [scope(0), scope(1), scope(2)]
    }

    fn is_in(scope: &'static Scope) -> bool {
        current_scope().is_some_and(|current| ptr::eq(current, scope))
    }

    #[test]
    fn guards_may_be_dropped_in_any_order() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let runtime = runtime();
            let scopes = scopes(&runtime);
            let mut guards = scopes.map(|scope| Some(EnterGuard::new(scope)));
            for (index, guard) in order.into_iter().enumerate() {
                let inner = (0..3).rev().find(|&index| guards[index].is_some()).unwrap();
                assert!(is_in(scopes[inner]), "{order:?}: the last one that is held decides");
                guards[guard] = None;
                assert_eq!(Handle::try_current().is_err(), index == 2);
            }
            assert!(current_scope().is_none());
        }
    }

    #[test]
    fn a_guard_that_is_dropped_before_an_inner_one_of_tokio_is_named() {
        let (runtime, other) = (runtime(), runtime());
        let [scope, ..] = scopes(&runtime);
        let guard = EnterGuard::new(scope);
        let inner = other.enter();
        let panic = catch_unwind(AssertUnwindSafe(|| drop(guard))).unwrap_err();
        let text = *panic.downcast::<&'static str>().unwrap();
        assert!(text.contains("Drop them in reverse order: first the guard of `Handle::enter()`"), "{text}");
        std::mem::forget(inner);
    }
}

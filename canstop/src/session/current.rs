//! Which scope the code of a thread belongs to, and the body of a service or of `main`, which is polled under
//! its own name as a session is.

use std::any::Any;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use tokio::runtime::{Handle, Id};

use super::returned_error::{Inspected, ReturnedError};
use super::scope::{Counter, Kind, Scope};
use super::slots::PollTag;
use super::thread::{self, Belonging, Polling, Role, replace_belonging, set_role, this_thread};
use crate::failure::{catch, current_panic};
use crate::machine::{ExitReason, Owner};

/// The scope of the code that calls this, if there is a supervisor.
#[inline]
pub(crate) fn current_scope() -> Option<&'static Scope> {
    match thread::current() {
        Some(counter) => Some(counter.home),
        None => scope_of_current_runtime(),
    }
}

/// The scope of the code that calls this.
///
/// # Panics
///
/// Outside a supervisor, with what to do about it.
#[inline]
#[track_caller]
pub(crate) fn expect_scope(what: &str) -> &'static Scope {
    match current_scope() {
        Some(scope) => scope,
        None => outside(what),
    }
}

#[cold]
#[track_caller]
fn outside(what: &str) -> ! {
    panic!(
        "{what} was called outside a supervisor, where nothing would wait for its work. Call it in a program that \
         `#[canstop::main]` or `canstop::App` runs: in `main`, a service, a session, or any task on their runtime. On a \
         thread of your own, hold the guard of `lifecycle.enter()` while you call it."
    )
}

/// Runtimes and their scopes, for threads that entered one by its handle: the data plane belongs to the root, a
/// service's own runtime to the service.
static ATTACHED: Mutex<Vec<(Id, &'static Scope)>> = Mutex::new(Vec::new());

fn lock_attached() -> MutexGuard<'static, Vec<(Id, &'static Scope)>> {
    ATTACHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The scope of the runtime that this thread is in. Slower than the thread's own scope, and needed only where
/// that is not set.
#[cold]
fn scope_of_current_runtime() -> Option<&'static Scope> {
    let runtime = Handle::try_current().ok()?.id();
    let attached = lock_attached();
    attached.iter().find(|(id, _)| *id == runtime).map(|&(_, scope)| scope)
}

/// Lets threads that enter this runtime by its handle belong to this scope.
pub(super) fn attach(runtime: Id, scope: &'static Scope) {
    lock_attached().push((runtime, scope));
}

/// Lets what belongs to one scope belong to another.
pub(super) fn attach_anew(before: &'static Scope, scope: &'static Scope) {
    lock_attached()
        .iter_mut()
        .filter(|(_, attached)| ptr::eq(*attached, before))
        .for_each(|(_, attached)| *attached = scope);
}

/// Reverts [`attach`] for all runtimes of this scope.
pub(super) fn detach_all(scope: &'static Scope) {
    lock_attached().retain(|(_, attached)| !ptr::eq(*attached, scope));
}

/// While it exists, a runtime belongs to a service.
#[derive(Debug)]
pub(crate) struct AttachedRuntime(Id);

impl Drop for AttachedRuntime {
    fn drop(&mut self) {
        lock_attached().retain(|(id, _)| *id != self.0);
    }
}

/// While it exists, the thread's code belongs to this scope.
#[derive(Debug)]
#[must_use = "the thread leaves the scope when this is dropped"]
pub(crate) struct EnteredScope {
    before: Belonging,
    /// Not `Send`: it must be dropped on the thread that it changed.
    not_send: PhantomData<*const ()>,
}

impl Drop for EnteredScope {
    fn drop(&mut self) {
        replace_belonging(mem::take(&mut self.before));
    }
}

impl Scope {
    pub(crate) fn body(&'static self) -> BodyName {
        BodyName(self.body_counter())
    }

    /// Enters it on a thread that is not the data plane's.
    pub(crate) fn enter(&'static self) -> EnteredScope {
        self.enter_on(None)
    }

    /// Enters it on the main thread, which drives the data plane.
    pub(crate) fn enter_data_plane(&'static self) -> EnteredScope {
        set_role(Role::Main);
        self.enter_on(self.hub.data_plane())
    }

    /// Enters it on the thread that drives the service's own runtime.
    pub(crate) fn enter_runtime(&'static self, own: Arc<Handle>) -> EnteredScope {
        set_role(Role::OwnRuntime);
        self.enter_on(Some(own))
    }

    fn enter_on(&'static self, data_plane: Option<Arc<Handle>>) -> EnteredScope {
        let before = replace_belonging(Belonging { current: Some(self.body_counter()), data_plane });
        EnteredScope { before, not_send: PhantomData }
    }

    /// Lets threads that enter the service's own runtime by its handle belong to the service.
    pub(crate) fn attach_runtime(&'static self, own: &Handle) -> AttachedRuntime {
        attach(own.id(), self);
        AttachedRuntime(own.id())
    }

    /// Enters it for good on this thread, which is one of the service's own runtime's.
    pub(crate) fn adopt_thread_of_own_runtime(&'static self) {
        self.adopt_thread(Role::OwnRuntime, Some(Arc::new(Handle::current())));
    }

    pub(super) fn adopt_thread(&'static self, role: Role, runtime: Option<Arc<Handle>>) {
        set_role(role);
        replace_belonging(Belonging { current: Some(self.body_counter()), data_plane: runtime });
    }
}

/// The name under which a thread polls a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyName(&'static Counter);

impl BodyName {
    /// Runs a closure as this body, on the calling thread, and catches its panic.
    ///
    /// # Errors
    ///
    /// The panic.
    pub(crate) fn run<T>(self, body: impl FnOnce() -> T) -> Result<T, ExitReason> {
        self.run_by(ptr::null(), body)
    }

    /// `waker` is that of the body's task, if the scope has it.
    fn run_by<T>(self, waker: *const Waker, body: impl FnOnce() -> T) -> Result<T, ExitReason> {
        let _polling = self.poll(waker);
        catch(body).map_err(ExitReason::Panicked)
    }

    fn poll(self, waker: *const Waker) -> Polling {
        Polling::begin(this_thread(), self.0, PollTag::BODY, waker)
    }
}

/// While it exists, a stop request wakes the body's task.
#[derive(Debug)]
struct BodyWaker {
    scope: &'static Scope,
    waker: Waker,
}

impl BodyWaker {
    fn register(scope: &'static Scope, waker: &Waker) -> Self {
        scope.set_body_waker(waker.clone());
        Self { scope, waker: waker.clone() }
    }
}

impl Drop for BodyWaker {
    fn drop(&mut self) {
        self.scope.remove_body_waker(&self.waker);
    }
}

pin_project! {
    /// A body that is polled under its name. A panic is its output.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub(crate) struct Body<F> {
        // `None` once it has returned: its destructor runs as the body, too.
        #[pin]
        future: Option<F>,
        name: BodyName,
        registered: Option<BodyWaker>,
    }

    impl<F> PinnedDrop for Body<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                let _polling = this.name.poll(ptr::null());
                this.future.set(None);
            }
        }
    }
}

impl<F> Body<F> {
    pub(crate) fn new(name: BodyName, future: F) -> Self {
        Self { future: Some(future), name, registered: None }
    }

    /// From now on it is polled under this name.
    pub(crate) fn rename(self: Pin<&mut Self>, name: BodyName) {
        let body = self.project();
        if !ptr::eq(body.name.0, name.0) {
            *body.registered = None;
            *body.name = name;
        }
    }
}

impl<F: Future> Future for Body<F> {
    type Output = Result<F::Output, ExitReason>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut body = self.project();
        let waker = cx.waker();
        if !body.registered.as_ref().is_some_and(|registered| registered.waker.will_wake(waker)) {
            // The old one first: its destructor would remove the new one.
            *body.registered = None;
            *body.registered = Some(BodyWaker::register(body.name.0.scope, waker));
        }
        let future = &mut body.future;
        let poll = || {
            let running = future.as_mut().as_pin_mut().expect("a body is not polled after it has returned");
            let poll = running.poll(cx);
            if poll.is_ready() {
                future.set(None);
            }
            poll
        };
        match body.name.run_by(waker, poll) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// Lets the program inspect an error that the code of this thread has returned.
#[cold]
pub(crate) fn inspect(error: &dyn Any) -> Inspected {
    let Some(Counter { site, home, kind, .. }) = thread::current() else { return Inspected::default() };
    let service = (home.owner != Owner::Root).then(|| home.name());
    let session = matches!(kind, Kind::Session | Kind::Blocking).then(|| site.location());
    home.hub.error_inspectors().inspect(&ReturnedError::new(error, service, session))
}

/// How a body ended that is dropped before it has returned: by a panic, its own or that of a destructor, or
/// because its runtime or its owner has dropped it.
pub(crate) fn reason_of_dropped() -> ExitReason {
    if std::thread::panicking() { ExitReason::Panicked(current_panic()) } else { ExitReason::Dropped }
}

//! [`Service`]: a function, and its supervision policy.

use std::any::{TypeId, type_name};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::dependency::{ByNameOnly, Dependency, HasUnknown, NamedService};
use super::output::ServiceOutput;
use crate::lifecycle::Lifecycle;
use crate::machine::{Backoff, ExitReason, Limit, Location, Ready, Reference, Restart, RunId, ServiceSpec, Start};
use crate::session::{Factory, Scope, current_scope, in_current_span};

pub(super) type BoxFuture<R> = Pin<Box<dyn Future<Output = R> + Send>>;
type AsyncBody<R> = Box<dyn FnMut(Lifecycle) -> BoxFuture<R> + Send>;
type BlockingBody<R> = Box<dyn FnMut(Lifecycle) -> R + Send>;

/// A service that is not started yet: the value that a function with `#[canstop::service]` returns.
///
/// It does nothing until it is passed to [`start`](crate::start()) or [`App::service`](crate::App::service), or is
/// [`run`](Self::run) in a unit test. The setters are the options of the attribute.
///
/// ```
/// use std::time::Duration;
/// use canstop::{Lifecycle, Restart, Service};
///
/// let clock = Service::new("clock", |lifecycle: Lifecycle| async move {
///     while let Some(()) = lifecycle.run_until_stopping(tokio::time::sleep(Duration::from_secs(1))).await {
///         println!("tick");
///     }
/// })
/// .restart(Restart::Always);
/// # drop(clock);
/// ```
#[must_use = "a service does nothing until it is started: give it to `canstop::start`"]
pub struct Service<R> {
    spec: ServiceSpec,
    body: Body<R>,
    own_runtime: bool,
    /// Erases the output's type, where it is known to be a [`ServiceOutput`].
    erase: fn(Body<R>) -> Factory,
}

pub(super) enum Body<R> {
    Async(AsyncBody<R>),
    Blocking(BlockingBody<R>),
}

pub(super) fn boxed<F: Future + Send + 'static>(future: F) -> BoxFuture<F::Output> {
    Box::pin(future)
}

/// Adapts an `FnOnce` to several calls. There is only one: the plan's check refuses to restart such a service.
pub(super) fn only_once<A, B>(call: impl FnOnce(A) -> B) -> impl FnMut(A) -> B {
    let mut call = Some(call);
    move |argument| (call.take().expect("a service that runs once is not started twice"))(argument)
}

impl<R: ServiceOutput> Service<R> {
    /// A service that may be restarted: `body` makes the future of each run.
    #[track_caller]
    pub fn new<F, Fut>(name: &'static str, mut factory: F) -> Self
    where
        F: FnMut(Lifecycle) -> Fut + Send + 'static,
        Fut: Future<Output = R> + Send + 'static,
    {
        Self::with(name, true, Body::Async(Box::new(move |lifecycle| boxed(factory(lifecycle)))))
    }

    /// A service that runs at most once, and so may own state that is not `Clone`. Its restart policy is
    /// [`Restart::Never`].
    #[track_caller]
    pub fn once<F, Fut>(name: &'static str, body: F) -> Self
    where
        F: FnOnce(Lifecycle) -> Fut + Send + 'static,
        Fut: Future<Output = R> + Send + 'static,
    {
        let mut body = only_once(body);
        Self::with(name, false, Body::Async(Box::new(move |lifecycle| boxed(body(lifecycle)))))
    }

    /// A service that blocks. It has its own thread, with the service's name, and notices the stop by
    /// [`Lifecycle::is_stopping`] or [`Lifecycle::on_stopping`]. `spawn_session!` works on that thread.
    #[track_caller]
    pub fn blocking<F>(name: &'static str, body: F) -> Self
    where
        F: FnMut(Lifecycle) -> R + Send + 'static,
    {
        Self::with(name, true, Body::Blocking(Box::new(body)))
    }

    /// A service that blocks and runs at most once.
    #[track_caller]
    pub fn blocking_once<F>(name: &'static str, body: F) -> Self
    where
        F: FnOnce(Lifecycle) -> R + Send + 'static,
    {
        let body = only_once(body);
        Self::with(name, false, Body::Blocking(Box::new(body)))
    }

    #[track_caller]
    fn with(name: &'static str, restartable: bool, body: Body<R>) -> Self {
        let location = std::panic::Location::caller();
        let location = Location { file: location.file(), line: location.line() };
        Self::made(ServiceSpec::new(name, location), restartable, body, Body::erase)
    }
}

impl<R: ServiceOutput> Body<R> {
    pub(super) fn erase(self) -> Factory {
        match self {
            Body::Async(mut body) => Box::new(move |run| {
                let run = body(Lifecycle::new(scope_of_run(), run));
                Box::pin(async move { run.await.into_reason() })
            }),
            Body::Blocking(body) => {
                let body = Arc::new(Mutex::new(body));
                Box::new(move |run| Box::pin(run_on_own_thread(Arc::clone(&body), scope_of_run(), run)))
            }
        }
    }
}

/// The scope of the service whose next run is made: a factory is called as its body.
fn scope_of_run() -> &'static Scope {
    current_scope().expect("a factory is called as the body of its service")
}

/// A run on a thread of its own. If the future is dropped, the thread keeps running.
async fn run_on_own_thread<R: ServiceOutput>(
    body: Arc<Mutex<BlockingBody<R>>>,
    scope: &'static Scope,
    run: RunId,
) -> ExitReason {
    let (ended, end) = oneshot::channel();
    let run = move || {
        let lifecycle = Lifecycle::new(scope, run);
        let _guard = lifecycle.enter();
        // The output is displayed and dropped as part of the body, and so is the state if this run is the last to
        // hold it: all of that before the end is reported.
        let reason = scope.body().run(|| {
            // A run that panicked poisons its body's lock, and otherwise leaves it as any caught panic does.
            let returned = (body.lock().unwrap_or_else(PoisonError::into_inner))(lifecycle.clone());
            returned.into_reason()
        });
        let dropped = scope.body().run(|| drop(body));
        let _ = ended.send(reason.and_then(|reason| dropped.map(|()| reason)).unwrap_or_else(|panic| panic));
    };
    match std::thread::Builder::new().name(scope.name()).spawn(in_current_span(run)) {
        Ok(_) => end.await.unwrap_or(ExitReason::Dropped),
        Err(error) => ExitReason::Failed(format!("cannot start its thread: {error}")),
    }
}

impl<R> Service<R> {
    pub(super) fn made(mut spec: ServiceSpec, restartable: bool, body: Body<R>, erase: fn(Body<R>) -> Factory) -> Self {
        spec.restartable = restartable;
        if !restartable {
            spec.restart.restart = Restart::Never;
        }
        Self { spec, body, own_runtime: false, erase }
    }

    /// Records which function made it.
    pub(crate) fn identified(mut self, identity: TypeId) -> Self {
        self.spec.identity = Some(identity);
        self
    }

    /// Runs the body once, without supervision, for unit tests.
    ///
    /// # Panics
    ///
    /// If the body does. A blocking body runs on tokio's blocking pool.
    pub async fn run(self, lifecycle: Lifecycle) -> R
    where
        R: Send + 'static,
    {
        match self.body {
            Body::Async(mut body) => body(lifecycle).await,
            Body::Blocking(mut body) => match tokio::task::spawn_blocking(move || body(lifecycle)).await {
                Ok(returned) => returned,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
        }
    }

    /// Erases the type of the output, so that services of different types fit into one list.
    pub fn into_any(self) -> AnyService {
        // A blocking service already has its thread, and awaits nothing.
        let own_runtime = self.own_runtime && matches!(self.body, Body::Async(_));
        AnyService { spec: self.spec, factory: (self.erase)(self.body), own_runtime }
    }

    /// Sets its name, which must be unique in the program.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.spec.name = name.into();
        self
    }

    /// When it is restarted; by default on failure.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.spec.restart.restart = restart;
        self
    }

    /// The shortest and the longest pause before a restart; by default 100 ms and 10 s. A ceiling doubles with each
    /// attempt up to `max`, and the pause is random between `min` and the ceiling.
    ///
    /// # Panics
    ///
    /// If `min` is longer than `max`.
    #[track_caller]
    pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
        assert!(min <= max, "the least backoff, {min:?}, is longer than the longest, {max:?}");
        self.spec.restart.backoff = Backoff { min, max };
        self
    }

    /// How many failures within `window` it may have; by default 5 in 30 s. One more is a failure of the program.
    pub fn limit(mut self, failures: u32, window: Duration) -> Self {
        self.spec.restart.limit = Limit { failures, window };
        self
    }

    /// How long it and its sessions may take to stop; reserved for a dependency. By default it has the rest of its
    /// step, and a dependency has a fifth of the program's grace, at most one second.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.spec.grace = Some(grace);
        self
    }

    /// How long it may take to be ready; by default 30 s.
    pub fn start_timeout(mut self, start_timeout: Duration) -> Self {
        self.spec.start_timeout = start_timeout;
        self
    }

    /// When it counts as ready; by default as soon as it was started.
    pub fn ready(mut self, ready: Ready) -> Self {
        self.spec.ready = ready;
        self
    }

    /// What a failure before it was ready for the first time means: by default it fails the start of the program at
    /// once, with [`Start::Retry`] the service is restarted.
    pub fn start(mut self, start: Start) -> Self {
        self.spec.start = start;
        self
    }

    /// Starts it only when `dependency` is ready, and stops it before `dependency`. Call this once for each dependency.
    ///
    /// A service function names its service, and so does the service's name. A function that takes `impl Trait` is
    /// many functions, of which none can be named: write the service's name, `after("database")`. One that has type
    /// parameters is named by its name too, or with its type arguments, `after(database::<Postgres>)`. Otherwise the
    /// compiler asks for type annotations (E0283), and points here.
    pub fn after<Marker>(
        mut self,
        dependency: impl Dependency<Marker>, // if it is generic or takes `impl Trait`, say `after("database")`
    ) -> Self {
        self.spec.after.push(dependency.reference().0);
        self
    }

    /// Starts it after `dependency` and stops it before, as [`after`](Self::after) does, and restarts it
    /// with it: when `dependency` is restarted, this service stops first, and starts again as soon as the new run of
    /// `dependency` is ready. Call this once for each dependency.
    ///
    /// Services that are bound to each other are a group that restarts together. Within a group, only `after` defines
    /// an order.
    pub fn bound_to<Marker>(
        mut self,
        dependency: impl Dependency<Marker>, // if it is generic or takes `impl Trait`, say `bound_to("database")`
    ) -> Self {
        self.spec.bound_to.push(dependency.reference().0);
        self
    }

    /// Lets the program continue without it when it has failed too often.
    pub fn optional(mut self) -> Self {
        self.spec.optional = true;
        self
    }

    /// Drops it at its next `.await` when its stop is requested.
    pub fn cancel(mut self) -> Self {
        self.spec.cancel = true;
        self
    }

    /// Gives it a thread and a small tokio runtime of its own, for state that must be flushed at a stop
    /// whatever else the program does: it hears the stop and has its time also while every worker of the
    /// program's runtime is blocked.
    ///
    /// Each run has a new runtime, of the single-threaded kind. The run, its sessions and the tasks that it
    /// spawns are polled there, so code that blocks in one of them holds up the others; its blocking work has
    /// threads apart. Sessions that outlive the run keep the runtime, plain tasks do not. If the thread or the
    /// runtime cannot be had, that is the service's failure.
    ///
    /// What it awaits must not need the program's runtime in turn: a channel does not, but an answer from
    /// another service, or a socket that was registered there, waits for a worker. A blocking service has a
    /// thread already, and stays as it is. In a [test](crate::testing) it shares the test's runtime and clock.
    ///
    /// ```
    /// use canstop::{Lifecycle, Service};
    /// use tokio::sync::mpsc;
    ///
    /// fn writer(mut lines: mpsc::Receiver<String>) -> Service<()> {
    ///     Service::once("writer", |lifecycle: Lifecycle| async move {
    ///         let mut buffer = Vec::new();
    ///         while let Some(Some(line)) = lifecycle.run_until_stopping(lines.recv()).await {
    ///             buffer.push(line);
    ///         }
    ///         println!("{buffer:?}");
    ///     })
    ///     .own_runtime()
    /// }
    /// # drop(writer);
    /// ```
    pub fn own_runtime(mut self) -> Self {
        self.own_runtime = true;
        self
    }
}

impl<R> fmt::Debug for Service<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

/// A service with any type of output.
///
/// ```
/// use canstop::{Lifecycle, Service};
///
/// let plain = Service::new("plain", |lifecycle: Lifecycle| async move { lifecycle.stopping().await });
/// let fallible = Service::new("fallible", |_| async { std::io::Result::Ok(()) });
/// let services = [plain.into_any(), fallible.into_any()];
/// assert_eq!(services.map(|service| service.name().to_owned()), ["plain", "fallible"]);
/// ```
#[must_use = "a service does nothing until it is started"]
pub struct AnyService {
    pub(crate) spec: ServiceSpec,
    pub(crate) factory: Factory,
    pub(crate) own_runtime: bool,
}

impl AnyService {
    /// Its name in reports.
    pub fn name(&self) -> &str {
        &self.spec.name
    }
}

impl fmt::Debug for AnyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyService").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

fn function<F: 'static>() -> NamedService {
    NamedService(Reference::Function { identity: TypeId::of::<F>(), path: type_name::<F>() })
}

macro_rules! functions {
    ($(($($parameter:ident),*))*) => { $(
        #[diagnostic::do_not_recommend]
        impl<F, R, $($parameter),*> Dependency<fn($($parameter),*) -> R> for F
        where
            F: Fn($($parameter),*) -> Service<R> + 'static,
        {
            fn reference(self) -> NamedService {
                function::<F>()
            }
        }

        // The compiler lists up to five implementations that may be meant, by names that a user cannot use.
        functions_by_name_only! { ($($parameter),*) 1 2 3 4 5 }
    )* };
}

macro_rules! functions_by_name_only {
    ($parameters:tt $($copy:literal)*) => { $(
        functions_by_name_only! { @ $copy $parameters }
    )* };
    (@ $copy:literal ($($parameter:ident),*)) => {
        #[diagnostic::do_not_recommend]
        impl<F, R, Place, $($parameter),*> Dependency<ByNameOnly<$copy, Place, fn($($parameter),*) -> R>> for F
        where
            F: Fn($($parameter),*) -> Service<R> + 'static,
            list!($($parameter),*): HasUnknown<Place>,
        {
            fn reference(self) -> NamedService {
                function::<F>()
            }
        }
    };
}

/// `(A, (B, ()))`
macro_rules! list {
    () => { () };
    ($first:ident $(, $other:ident)*) => { ($first, list!($($other),*)) };
}

functions! {
    () (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, G) (A, B, C, D, E, G, H) (A, B, C, D, E, G, H, I)
}

//! [`App`]: what `#[canstop::main]` expands to.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Write};
use std::num::NonZero;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::RwLock;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::control::{self, ControlPlane, DATA_PLANE_LIMIT, Outside, Settings};
use crate::failure::{catch, install_hook, with_sources};
use crate::machine::{Exit, ExitReason, Input};
use crate::registry::{
    AnyService, Linked, MainOutput, Service, hand_over, poll_to_end, registered_in, registered_names,
};
use crate::session::{Body, Message, Supervisor};
use crate::settings::{InCode, Resolved, World};

/// The tokio runtime of the data plane.
///
/// ```
/// use canstop::{App, Flavor};
///
/// # fn main() -> std::process::ExitCode {
/// App::new().flavor(Flavor::CurrentThread).run(async {
///     tokio::spawn(async { println!("on the main thread") }).await.unwrap();
/// })
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flavor {
    /// A thread pool, by default with one worker for each core.
    #[default]
    MultiThread,
    /// All tasks on the main thread.
    CurrentThread,
}

type ConfigureRuntime = Box<dyn FnOnce(&mut Builder)>;

/// A supervised program, without `#[canstop::main]`.
///
/// ```
/// use std::time::Duration;
/// use canstop::{App, Service};
///
/// # fn main() -> std::process::ExitCode {
/// App::new()
///     .grace(Duration::from_secs(5))
///     .service(Service::new("greeter", |_lifecycle| async { println!("hello") }))
///     .run(async {
///         println!("set up");
///     })
/// # }
/// ```
#[must_use = "an app does nothing until it is run"]
pub struct App {
    settings: InCode,
    flavor: Flavor,
    worker_threads: Option<usize>,
    linked: Vec<Linked>,
    services: Vec<AnyService>,
    configure_runtime: Vec<ConfigureRuntime>,
}

impl App {
    /// A program with a grace of five seconds on tokio's multi-threaded runtime.
    pub fn new() -> Self {
        Self {
            settings: InCode::default(),
            flavor: Flavor::default(),
            worker_threads: None,
            linked: Vec::new(),
            services: Vec::new(),
            configure_runtime: Vec::new(),
        }
    }

    /// The total time from a stop request to the exit. The variable `CANSTOP_GRACE` overrides it. If neither is set,
    /// it is the time that the platform allows, or else five seconds.
    ///
    /// A grace of zero is a program that does not wait: what hears the stop and returns at its next poll is still
    /// drained, and the rest is abandoned.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = Some(grace);
        self
    }

    /// The first part of the grace, in which the program still accepts and serves while load balancers take it out
    /// of rotation. The variable `CANSTOP_DRAIN_DELAY` overrides it. If neither is set, it is the time that the
    /// platform needs, or else none.
    pub fn drain_delay(mut self, drain_delay: Duration) -> Self {
        self.settings.drain_delay = Some(drain_delay);
        self
    }

    /// Answers probes on this address, such as `"127.0.0.1:9000"`: `/livez`, `/readyz` and `/startupz`. It answers
    /// on canstop's own thread, even while every worker is blocked. The variable `CANSTOP_HEALTH` overrides it, and
    /// turns it off with `off`.
    pub fn health(mut self, address: impl ToString) -> Self {
        self.settings.health = Some(address.to_string());
        self
    }

    /// Serves the tree of services and sessions on `/status` beside the probes: as text, as JSON, and as a page
    /// for browsers. It shows names and errors. The variable `CANSTOP_STATUS` (`on`, `off`) overrides it.
    pub fn status(mut self, status: bool) -> Self {
        self.settings.status = Some(status);
        self
    }

    /// Serves [`metrics`](crate::metrics()) on `/metrics` beside the probes, in Prometheus' text format. The
    /// variable `CANSTOP_METRICS` (`on`, `off`) overrides it.
    pub fn metrics(mut self, metrics: bool) -> Self {
        self.settings.metrics = Some(metrics);
        self
    }

    /// How long the runtime may run no new work before `/livez` fails; 30 seconds by default. The variable
    /// `CANSTOP_STALL` overrides it.
    pub fn stall(mut self, stall: Duration) -> Self {
        self.settings.stall = Some(stall);
        self
    }

    /// How long a service or session may hold a thread in one poll before it is reported as
    /// [`Event::ThreadBlocked`](crate::Event::ThreadBlocked); one second by default. The variable `CANSTOP_BLOCKED`
    /// overrides it.
    pub fn blocked(mut self, blocked: Duration) -> Self {
        self.settings.blocked = Some(blocked);
        self
    }

    /// How long the new process of a [hand-over](crate::hand_over()) may take to become ready; 60 seconds by default.
    /// The variable `CANSTOP_UPGRADE_TIMEOUT` overrides it.
    #[cfg(all(unix, feature = "handover"))]
    pub fn upgrade_timeout(mut self, upgrade_timeout: Duration) -> Self {
        self.settings.upgrade_timeout = Some(upgrade_timeout);
        self
    }

    /// The tokio runtime to run on.
    pub fn flavor(mut self, flavor: Flavor) -> Self {
        self.flavor = flavor;
        self
    }

    /// The number of worker threads of the multi-threaded runtime; by default one for each core.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn worker_threads(mut self, worker_threads: usize) -> Self {
        assert!(worker_threads > 0, "`worker_threads` must be at least 1");
        self.worker_threads = Some(worker_threads);
        self
    }

    /// Starts the services that a crate has registered: those whose only parameter is their lifecycle. Pass
    /// `module_path!()` for your own crate, and the name used in paths for a library.
    pub fn link(mut self, krate: &'static str) -> Self {
        self.linked.push(Linked::Crate(krate));
        self
    }

    /// Starts the services that this target of a package has registered, but not those of a library with the same
    /// name.
    #[doc(hidden)]
    pub fn link_own(mut self, module: &'static str, binary: Option<&'static str>) -> Self {
        self.linked.push(Linked::Target { module, binary });
        self
    }

    /// Starts this service.
    pub fn service<R>(mut self, service: Service<R>) -> Self {
        self.services.push(service.into_any());
        self
    }

    /// Sets any other option of tokio's builder. The closure is called last, so its settings win. If it sets
    /// `on_thread_start`, canstop recognises the data plane's threads by their runtime instead, which makes each
    /// spawn of a session a little slower. If it sets `on_thread_unpark`, the ages of sessions that are spawned after
    /// a quiet time may be up to a second too high.
    pub fn configure_runtime(mut self, configure: impl FnOnce(&mut Builder) + 'static) -> Self {
        self.configure_runtime.push(Box::new(configure));
        self
    }

    /// Runs `main` and the services until a stop was requested and everything has drained, or the grace is over. The
    /// future need not be `Send`: it stays on this thread.
    ///
    /// Return the code from `main`. If this thread cannot return by the deadline, the process exits with that code.
    ///
    /// A program normally calls this once. Several calls one after the other are possible.
    pub fn run<F, Kind>(self, main: F) -> ExitCode
    where
        F: Future,
        F::Output: MainOutput<Kind>,
    {
        match self.launch() {
            Ok((runtime, control)) => drive(runtime, control, main).into(),
            Err(error) => {
                let _ = writeln!(io::stderr(), "canstop: cannot start: {error}");
                Exit::Failed.into()
            }
        }
    }

    /// Signals first, then the runtime.
    fn launch(self) -> io::Result<(Runtime, ControlPlane)> {
        let world = World::of_process();
        let resolved = Resolved::decide(&self.settings, &world).map_err(io::Error::other)?;
        if self.flavor == Flavor::CurrentThread && self.worker_threads.is_some() {
            return Err(io::Error::other(
                "worker_threads is for the multi-threaded runtime; take it or the current_thread flavor away",
            ));
        }
        let outside = Outside::prepare(&resolved, &world)?;
        install_hook();
        let control = control::launch(Settings::new(&resolved), outside)?;
        let supervisor = control.supervisor;
        let built = catch(|| self.build_runtime(supervisor)).unwrap_or_else(|panic| Err(io::Error::other(panic)));
        match built {
            Ok(runtime) => Ok((runtime, control)),
            Err(error) => {
                control.cancel();
                Err(error)
            }
        }
    }

    /// Hands the services over and builds the data plane's runtime.
    fn build_runtime(self, supervisor: &'static Supervisor) -> io::Result<Runtime> {
        let names_services = !self.linked.is_empty();
        for service in registered_in(&self.linked).into_iter().chain(self.services) {
            hand_over(supervisor, service, false);
        }
        if !names_services {
            supervisor.send(Message::NotLinked(registered_names()));
        }
        let mut builder = match self.flavor {
            Flavor::MultiThread => Builder::new_multi_thread(),
            Flavor::CurrentThread => Builder::new_current_thread(),
        };
        if let Some(worker_threads) = self.worker_threads {
            builder.worker_threads(worker_threads);
        }
        builder
            .enable_all()
            .on_thread_start(|| supervisor.adopt_thread())
            .on_thread_unpark(|| supervisor.thread_wakes());
        for configure in self.configure_runtime {
            configure(&mut builder);
        }
        let workers = match self.flavor {
            Flavor::MultiThread => self.worker_threads.unwrap_or_else(cores),
            Flavor::CurrentThread => 0,
        };
        // tokio panics if it cannot spawn its first thread, and silently has fewer workers if it cannot spawn all.
        spare_threads(workers + 1)?;
        let runtime = builder.build()?;
        supervisor.attach_data_plane(runtime.handle());
        Ok(runtime)
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("settings", &self.settings)
            .field("flavor", &self.flavor)
            .field("worker_threads", &self.worker_threads)
            .finish_non_exhaustive()
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Checks that the system can spawn this many threads, by holding all of them for a moment.
fn spare_threads(count: usize) -> io::Result<()> {
    let hold = RwLock::new(());
    thread::scope(|scope| {
        let held = hold.write();
        let spawn = |_| thread::Builder::new().stack_size(0).spawn_scoped(scope, || drop(hold.read())).map(drop);
        let spawned = (0..count).try_for_each(spawn);
        drop(held);
        spawned
    })
    .map_err(|error| io::Error::new(error.kind(), format!("the system has no threads left for the runtime: {error}")))
}

/// The main thread: runs the body of `main`, then the data plane until it has finished, and returns the code.
///
/// A body that waits at its end is dropped last, so that its locals outlive the report.
fn drive<F, Kind>(runtime: Runtime, control: ControlPlane, main: F) -> Exit
where
    F: Future,
    F::Output: MainOutput<Kind>,
{
    let ControlPlane { supervisor, drop_main, finished, exit } = control;
    let handle = runtime.handle().clone();
    let mut body = pin!(Some(Body::new(supervisor.root().body(), main)));
    {
        let _root = supervisor.root().enter_data_plane();
        runtime.block_on(async {
            let reason = run_body(supervisor, body.as_mut(), drop_main.cancelled()).await;
            supervisor.event(Input::MainEnded(reason));
            // Nothing is ever sent: the control plane drops the sender when the stop has finished.
            let _ = finished.await;
        });
    }
    runtime.shutdown_timeout(DATA_PLANE_LIMIT);
    supervisor.detach_data_plane();
    supervisor.send(Message::DataPlaneGone);
    // The control thread answers within its limits, or ends the process itself.
    let exit = exit.recv().unwrap_or(Exit::Failed);
    // Destructors that run here may use the runtime.
    let _runtime = handle.enter();
    match catch(|| body.set(None)) {
        Ok(()) => exit,
        Err(_) => exit.max(Exit::Failed),
    }
}

/// Runs the body of `main` until it ends, waits at its end, or is to be dropped.
async fn run_body<F, Kind>(
    supervisor: &'static Supervisor,
    mut slot: Pin<&mut Option<Body<F>>>,
    drop_main: impl Future<Output = ()>,
) -> ExitReason
where
    F: Future,
    F::Output: MainOutput<Kind>,
{
    let name = || supervisor.root().body();
    let reason = {
        let mut body = slot.as_mut().as_pin_mut().expect("it is taken only below");
        tokio::select! {
            biased;
            // Once the body is to be dropped, it is not polled again.
            () = drop_main => ExitReason::Dropped,
            returned = poll_fn(|context| {
                // This thread is none of the runtime's.
                supervisor.thread_wakes();
                body.as_mut().rename(name());
                poll_to_end(supervisor, body.as_mut(), context)
            }) => match returned {
                None => return ExitReason::Done,
                Some(Ok(returned)) => name().run(|| reason_of_main(returned)).unwrap_or_else(|panic| panic),
                Some(Err(panic)) => panic,
            },
        }
    };
    // The body's destructors run within its time, and their panic counts as its own.
    name().run(|| slot.set(None)).map_or_else(|panic| panic, |()| reason)
}

fn reason_of_main<Kind>(returned: impl MainOutput<Kind>) -> ExitReason {
    match returned.into_result() {
        Ok(()) => ExitReason::Done,
        Err(error) => ExitReason::Failed(with_sources(&*error)),
    }
}

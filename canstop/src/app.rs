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

/// Which of tokio's runtimes the data plane is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flavor {
    /// Worker threads, as many as the machine has cores unless said otherwise.
    #[default]
    MultiThread,
    /// Everything on the main thread.
    CurrentThread,
}

type ConfigureRuntime = Box<dyn FnOnce(&mut Builder)>;

/// A program under supervision, by hand.
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

    /// The total time from a stop request to the exit. The variable `CANSTOP_GRACE` beats it; where both
    /// are silent it is what the platform allows, or else five seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = Some(grace);
        self
    }

    /// How much of the grace everything goes on serving and accepting, so that load balancers can
    /// look away. The variable `CANSTOP_DRAIN_DELAY` beats it; where both are silent it is what the platform
    /// needs, or else none.
    pub fn drain_delay(mut self, drain_delay: Duration) -> Self {
        self.settings.drain_delay = Some(drain_delay);
        self
    }

    /// Answers probes on this address, such as `"127.0.0.1:9000"`: `/livez`, `/readyz` and `/startupz`, from
    /// canstop's own thread, so that they are answered while every worker is blocked. The variable
    /// `CANSTOP_HEALTH` beats it, and turns it off with `off`.
    pub fn health(mut self, address: impl ToString) -> Self {
        self.settings.health = Some(address.to_string());
        self
    }

    /// Serves the tree of services and sessions on `/status` beside the probes: as text, as JSON, and as a page
    /// for browsers. It has names and errors in it. The variable `CANSTOP_STATUS` (`on`, `off`) beats it.
    pub fn status(mut self, status: bool) -> Self {
        self.settings.status = Some(status);
        self
    }

    /// Serves [`metrics`](crate::metrics()) on `/metrics` beside the probes, as Prometheus reads them. The
    /// variable `CANSTOP_METRICS` (`on`, `off`) beats it.
    pub fn metrics(mut self, metrics: bool) -> Self {
        self.settings.metrics = Some(metrics);
        self
    }

    /// How long the runtime may take up no work before `/livez` fails; 30 seconds unless said otherwise. The
    /// variable `CANSTOP_STALL` beats it.
    pub fn stall(mut self, stall: Duration) -> Self {
        self.settings.stall = Some(stall);
        self
    }

    /// From when on a service or session that holds a thread in one poll is reported while the program runs,
    /// as [`Event::ThreadBlocked`](crate::Event::ThreadBlocked); one second unless said otherwise. The variable
    /// `CANSTOP_BLOCKED` beats it.
    pub fn blocked(mut self, blocked: Duration) -> Self {
        self.settings.blocked = Some(blocked);
        self
    }

    /// Which of tokio's runtimes to run on.
    pub fn flavor(mut self, flavor: Flavor) -> Self {
        self.flavor = flavor;
        self
    }

    /// How many worker threads the multi-threaded runtime has; as many as cores unless said otherwise.
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

    /// Starts the services that a crate has registered: those that need nothing but their lifecycle.
    /// Give `module_path!()` for your own, and a library's name, as it stands in `use`, for its own.
    pub fn link(mut self, krate: &'static str) -> Self {
        self.linked.push(Linked::Crate(krate));
        self
    }

    /// Starts the services that this target of a package has registered, and not those of a library of the
    /// same name.
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

    /// Sets anything else that tokio's builder has. It is called last, so that it has its way. If
    /// it sets `on_thread_start`, its own is called and the data plane's threads are recognised by
    /// their runtime, which is a little slower for each session they spawn.
    pub fn configure_runtime(mut self, configure: impl FnOnce(&mut Builder) + 'static) -> Self {
        self.configure_runtime.push(Box::new(configure));
        self
    }

    /// Runs `main` and the services, until a stop was requested and all is drained or the grace is
    /// over. The future need not be `Send`: it stays on this thread.
    ///
    /// Return the code from `main`. If this thread cannot return by the deadline, the process exits
    /// with it all the same.
    ///
    /// A program has one of these. It may run several in a row, for what that is worth.
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
        let names_services = !self.linked.is_empty();
        let control = control::launch(Settings::new(&resolved), outside)?;
        let supervisor = control.supervisor;
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
        builder.enable_all().on_thread_start(|| supervisor.root().adopt_thread());
        for configure in self.configure_runtime {
            configure(&mut builder);
        }
        let workers = match self.flavor {
            Flavor::MultiThread => self.worker_threads.unwrap_or_else(cores),
            Flavor::CurrentThread => 0,
        };
        // tokio panics if it gets no thread, and does with fewer workers if it gets some.
        spare_threads(workers + 1)?;
        let runtime = catch(|| builder.build()).map_err(io::Error::other)??;
        supervisor.attach_data_plane(runtime.handle());
        Ok((runtime, control))
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

/// Checks that the system has so many threads left, by having them all at once for a moment.
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

/// The main thread: the body of `main`, then whatever the data plane needs it for, then the code.
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
            // Nothing is ever sent: the other end is dropped when all is decided.
            let _ = finished.await;
        });
    }
    runtime.shutdown_timeout(DATA_PLANE_LIMIT);
    supervisor.detach_data_plane();
    supervisor.send(Message::DataPlaneGone);
    // The control thread answers within its limits, or ends the process itself.
    let exit = exit.recv().unwrap_or(Exit::Failed);
    // What is dropped here may ask for a runtime.
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
    let name = supervisor.root().body();
    let reason = {
        let mut body = slot.as_mut().as_pin_mut().expect("it is taken only below");
        tokio::select! {
            biased;
            // No line of it runs any more once it is to be dropped.
            () = drop_main => ExitReason::Dropped,
            returned = poll_fn(|context| poll_to_end(supervisor, body.as_mut(), context)) => match returned {
                None => return ExitReason::Done,
                Some(Ok(returned)) => name.run(|| reason_of_main(returned)).unwrap_or_else(|panic| panic),
                Some(Err(panic)) => panic,
            },
        }
    };
    // Its destructors are its code too: they have its time, and their panic is its own.
    name.run(|| slot.set(None)).map_or_else(|panic| panic, |()| reason)
}

fn reason_of_main<Kind>(returned: impl MainOutput<Kind>) -> ExitReason {
    match returned.into_result() {
        Ok(()) => ExitReason::Done,
        Err(error) => ExitReason::Failed(with_sources(&*error)),
    }
}

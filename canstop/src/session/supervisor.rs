//! What the two planes of one supervisor share.

use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::runtime;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event_streams::EventStreams;
use super::flush::FlushHooks;
use super::forked::HomeProcess;
use super::kept::Kept;
use super::leaving;
use super::numbers::{Numbers, SharedNumbers};
use super::off_control::OffControl;
use super::origin::Birth;
use super::scope::{GroupGrace, Scope};
use super::scope_pool::ScopePool;
use super::site::Site;
use super::snapshot_cell::{SnapshotReceiver, SnapshotSender};
use super::waiting::Waking;
use crate::machine::{
    Event, ExitReason, Input, Location, Owner, Report, RunId, ServiceId, ServiceOutcome, ServiceSpec, ServiceState,
    Wait,
};

/// One run of a service: the future of its body.
pub(crate) type RunFuture = Pin<Box<dyn Future<Output = ExitReason> + Send>>;

/// Makes the runs of a service. It is called on the data plane, because it runs the user's `Clone`.
pub(crate) type Factory = Box<dyn FnMut(&'static Scope, RunId) -> RunFuture + Send>;

/// What the data plane tells the control plane.
pub(crate) enum Message {
    /// Something happened.
    Input(Input),
    /// A service to take in.
    Add(NewService),
    /// `run()` was called; the report goes there when all is drained.
    Run(oneshot::Sender<Report>),
    /// A service is to begin a new life, and who asks wants to know in which it was. `before` as in
    /// [`Input::RestartService`].
    Restart { id: ServiceId, before: RunId, asked_in: oneshot::Sender<RunId> },
    /// A service wants to wait for the end or the restart of another one; the answer is whether it would wait
    /// for itself, and is reported if so.
    Wait { waiter: ServiceId, wait: Wait, location: Location, for_itself: oneshot::Sender<bool> },
    /// Something to report that needs no decision.
    Emit(Event),
    /// A test asks for the end of the grace: what is left is abandoned now.
    #[cfg(feature = "testing")]
    EndGrace,
    /// The program requests a hand-over; the answer goes there. A signal waits for none.
    #[cfg(all(unix, feature = "handover"))]
    HandOver(Option<oneshot::Sender<HandOverAnswer>>),
    /// Sockets for the process manager to store under this name.
    #[cfg(all(target_os = "linux", feature = "fd_store"))]
    Store { name: String, fds: Vec<std::os::fd::OwnedFd> },
    /// What the process manager stores under this name is needed no longer.
    #[cfg(all(target_os = "linux", feature = "fd_store"))]
    Unstore { name: String },
    /// The data plane is gone: every future is dropped or abandoned.
    DataPlaneGone,
    /// Services that have registered themselves in a program that links no crate.
    NotLinked(Vec<String>),
}

/// The answer to a request for a hand-over: the new process, or whether the request was refused and why.
#[cfg(all(unix, feature = "handover"))]
pub(crate) type HandOverAnswer = Result<u32, (bool, String)>;

/// A service that is to be supervised.
pub(crate) struct NewService {
    pub(crate) spec: Box<ServiceSpec>,
    pub(crate) factory: Factory,
    /// Its runs have a thread and a runtime of their own.
    pub(crate) own_runtime: bool,
    /// Where its handle looks.
    pub(crate) snapshot: SnapshotSender,
    /// `main`, or code that it began, gave it over; registered services come by themselves.
    pub(crate) by_user: bool,
}

/// How a service stands, as its handle and everybody else may know.
#[derive(Clone, Debug)]
pub(crate) struct ServiceSnapshot {
    /// `None` until the control plane has taken it in.
    pub(crate) id: Option<ServiceId>,
    /// The last run that was not this service's.
    pub(crate) before: RunId,
    /// The current run, or the last one.
    pub(crate) run: RunId,
    /// How often it was started again.
    pub(crate) restarts: u32,
    pub(crate) state: ServiceState,
    /// Since when it has been in this state.
    pub(crate) since: Instant,
    /// Its sessions and children are over too, or given up.
    pub(crate) drained: bool,
    pub(crate) last_error: Option<String>,
}

impl ServiceSnapshot {
    pub(crate) fn new() -> Self {
        Self {
            id: None,
            before: RunId::default(),
            run: RunId::default(),
            restarts: 0,
            state: ServiceState::Waiting,
            since: Instant::now(),
            drained: false,
            last_error: None,
        }
    }

    /// How it ended, if it and all that belongs to it have.
    pub(crate) fn is_over(&self) -> Option<ServiceOutcome> {
        match self.state {
            ServiceState::Over(outcome) if self.drained => Some(outcome),
            _ => None,
        }
    }
}

/// A service of the program, for whoever asks how it stands.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) location: Location,
    pub(crate) parent: Option<ServiceId>,
    pub(crate) snapshot: SnapshotReceiver,
}

/// A session that returned an error or panicked.
#[derive(Debug)]
pub(crate) struct SessionFailure {
    pub(crate) site: &'static Site,
    /// The service that it belongs to, by the name that it has now.
    pub(crate) owner: Option<String>,
    pub(crate) reason: ExitReason,
}

/// How many reports of failed sessions may wait to be told. Beyond it they are only counted.
const FAILURES_IN_FLIGHT: usize = 1_024;

/// The part of a supervisor that both planes reach. There is one per program, and one per test; it
/// is never freed, so that whatever outlives it can still be counted.
#[derive(Debug)]
pub(crate) struct Supervisor {
    event_streams: EventStreams,
    /// To the control plane.
    mailbox: mpsc::UnboundedSender<Message>,
    failures: mpsc::Sender<SessionFailure>,
    failed_sessions: AtomicU64,
    cancelled_sessions: AtomicU64,
    /// What a session that is born now is marked with. So no clock is read at its spawn.
    now: AtomicUsize,
    scopes: Mutex<Vec<&'static Scope>>,
    scope_pool: ScopePool,
    /// By their numbers.
    services: Mutex<Vec<Known>>,
    /// How many groups of sessions with a grace of their own there were.
    groups: AtomicUsize,
    edge: OnceLock<&'static Scope>,
    /// Some session ended while somebody listens.
    changed: Notify,
    /// Does the control plane want to hear of each session that ends? Not while there are many.
    listens: AtomicBool,
    /// Has the program asked for a stop?
    shutdown_requested: AtomicBool,
    /// Did `main` say that it listens?
    main_listens: AtomicBool,
    /// Whether `run()` was called.
    run_called: AtomicBool,
    data_plane: Mutex<DataPlane>,
    off_control: OffControl,
    /// Sessions that are being woken, and how far that was at the last look.
    wakings: Mutex<Vec<(Arc<Waking>, usize)>>,
    /// Grows with each counter and each change of the list of scopes.
    counters_version: AtomicU64,
    /// The program drains: the time by which it ends, and what waits for that.
    draining: OnceLock<Instant>,
    draining_token: CancellationToken,
    home_process: HomeProcess,
    kept: Kept,
    flush_hooks: FlushHooks,
    numbers: SharedNumbers,
}

/// The runtime of the user's code.
#[derive(Debug)]
enum DataPlane {
    Awaited,
    Attached(Arc<runtime::Handle>),
    Detached,
}

impl DataPlane {
    fn handle(&self) -> Option<Arc<runtime::Handle>> {
        match self {
            Self::Attached(handle) => Some(Arc::clone(handle)),
            Self::Awaited | Self::Detached => None,
        }
    }
}

/// The control plane's ends of a [`Supervisor`]'s channels.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) messages: mpsc::UnboundedReceiver<Message>,
    pub(crate) failures: mpsc::Receiver<SessionFailure>,
}

impl Supervisor {
    pub(crate) fn new() -> (&'static Self, Inbox) {
        leaving::prepare();
        let (mailbox, messages) = mpsc::unbounded_channel();
        let (failure_sender, failures) = mpsc::channel(FAILURES_IN_FLIGHT);
        let supervisor: &'static Self = Box::leak(Box::new(Self {
            event_streams: EventStreams::default(),
            mailbox,
            failures: failure_sender,
            failed_sessions: AtomicU64::new(0),
            cancelled_sessions: AtomicU64::new(0),
            now: AtomicUsize::new(Birth::at(0).to_bits()),
            scopes: Mutex::new(Vec::new()),
            scope_pool: ScopePool::new(),
            services: Mutex::new(Vec::new()),
            groups: AtomicUsize::new(0),
            edge: OnceLock::new(),
            changed: Notify::new(),
            listens: AtomicBool::new(false),
            shutdown_requested: AtomicBool::new(false),
            main_listens: AtomicBool::new(false),
            run_called: AtomicBool::new(false),
            data_plane: Mutex::new(DataPlane::Awaited),
            off_control: OffControl::default(),
            wakings: Mutex::new(Vec::new()),
            counters_version: AtomicU64::new(0),
            draining: OnceLock::new(),
            draining_token: CancellationToken::new(),
            home_process: HomeProcess::this(),
            kept: Kept::default(),
            flush_hooks: FlushHooks::default(),
            numbers: SharedNumbers::new(Numbers::new()),
        }));
        supervisor.root();
        (supervisor, Inbox { messages, failures })
    }

    /// Whom everything belongs to that belongs to no service.
    pub(crate) fn root(&'static self) -> &'static Scope {
        self.edge.get_or_init(|| self.new_scope(Owner::Root, "main", Location { file: "main", line: 0 }, RunId(1)))
    }

    pub(crate) fn new_scope(&'static self, owner: Owner, name: &str, location: Location, run: RunId) -> &'static Scope {
        let scope = match self.scope_pool.take(owner, name, location) {
            Some(scope) => scope.renewed(),
            None => Box::leak(Box::new(Scope::new(self, owner, name.to_owned(), location, run))),
        };
        let groups = scope.groups();
        let mut scopes = self.lock_scopes();
        // A group that came up after its home was retired is there already.
        let missing: Vec<_> =
            groups.into_iter().filter(|group| !scopes.iter().any(|known| ptr::eq(*known, *group))).collect();
        scopes.push(scope);
        scopes.extend(missing);
        drop(scopes);
        self.counters_changed();
        scope
    }

    /// Counts a scope and its groups no longer. What they still hold is given up, or is nothing.
    pub(crate) fn retire_scope(&self, scope_pool: &'static Scope) {
        self.lock_scopes().retain(|scope| !ptr::eq(scope.home(), scope_pool));
        self.scope_pool.keep(scope_pool);
        self.counters_changed();
    }

    /// Release: what reads the version reads the lists after it.
    pub(super) fn counters_changed(&self) {
        self.counters_version.fetch_add(1, Ordering::Release);
    }

    pub(super) fn counters_version(&self) -> u64 {
        self.counters_version.load(Ordering::Acquire)
    }

    pub(super) fn wakings(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<Waking>, usize)>> {
        self.wakings.lock().expect("nothing panics while it wakes sessions")
    }

    /// The stop was requested: the program ends by `deadline`. Later calls change nothing.
    pub(crate) fn begin_draining(&'static self, deadline: Instant) {
        if self.draining.set(deadline).is_ok() {
            self.run_off_control(|| self.draining_token.cancel());
        }
    }

    /// By when the program ends, once its stop was requested.
    pub(crate) fn program_deadline(&self) -> Option<Instant> {
        self.draining.get().copied()
    }

    /// Cancelled soon after [`begin_draining`](Self::begin_draining).
    pub(crate) fn draining_token(&self) -> &CancellationToken {
        &self.draining_token
    }

    /// Keeps the sessions of this scope watched until they are gone.
    pub(super) fn watch_abandoned(&self, scope: &'static Scope) {
        self.scope_pool.watch_abandoned(scope);
    }

    pub(super) fn flush_hooks(&self) -> &FlushHooks {
        &self.flush_hooks
    }

    pub(super) fn shared_numbers(&self) -> &SharedNumbers {
        &self.numbers
    }

    pub(super) fn scope_pool(&self) -> &ScopePool {
        &self.scope_pool
    }

    /// Lets go of what was given up and is gone by now.
    pub(super) fn let_go(&self) {
        self.scope_pool.let_go();
    }

    /// A scope for sessions under `home` that have this grace of their own.
    pub(super) fn new_group(&'static self, home: &'static Scope, grace: GroupGrace) -> &'static Scope {
        // Under the lock, so that groups stand in the list in the order of their numbers.
        let mut scopes = self.lock_scopes();
        let number = self.groups.fetch_add(1, Ordering::Relaxed);
        let scope: &'static Scope = Box::leak(Box::new(Scope::new_group(home, number, grace)));
        scopes.push(scope);
        scope
    }

    pub(crate) fn scopes(&self) -> Vec<&'static Scope> {
        self.lock_scopes().clone()
    }

    /// Lets a service be known under its number, which may have been another's.
    pub(crate) fn introduce(&self, ServiceId(id): ServiceId, service: Known) {
        let mut services = self.services.lock().expect("nothing panics while it holds the list of services");
        match services.get_mut(id) {
            Some(gone) => *gone = service,
            None => services.push(service),
        }
    }

    pub(crate) fn services(&self) -> Vec<Known> {
        self.services.lock().expect("nothing panics while it holds the list of services").clone()
    }

    fn lock_scopes(&self) -> std::sync::MutexGuard<'_, Vec<&'static Scope>> {
        self.scopes.lock().expect("nothing panics while it holds the list of scopes")
    }

    /// Tells the control plane; in vain once that is gone, and then nothing is left to decide.
    pub(crate) fn send(&self, message: Message) {
        self.home_process.end_fork();
        let _ = self.mailbox.send(message);
    }

    pub(crate) fn event(&self, event: Input) {
        self.send(Message::Input(event));
    }

    /// Asks for a stop of the program. Only the first request has a reason that counts, so it alone is sent.
    pub(crate) fn request_shutdown(&self, reason: String) {
        if !self.shutdown_requested.swap(true, Ordering::Relaxed) {
            self.event(Input::ShutdownRequested { reason });
        }
    }

    /// Somebody asked for the edge's lifecycle: from now on `main` is told to stop, and not dropped.
    pub(crate) fn main_listens(&self) {
        // Looked at first: a word that many sessions write is slow, one that they read is not.
        if !self.main_listens.load(Ordering::Relaxed) && !self.main_listens.swap(true, Ordering::Relaxed) {
            self.event(Input::MainListens);
        }
    }

    /// Notes that `run()` was called: a `main` that returns after it does not wait for the services.
    ///
    /// Relaxed: the order of a call on another thread and the end of `main` is the user's to know.
    pub(crate) fn run_is_called(&self) {
        self.run_called.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_run_called(&self) -> bool {
        self.run_called.load(Ordering::Relaxed)
    }

    /// Has `main` asked for its lifecycle, or started something, whether or not the control plane has read it?
    pub(crate) fn main_has_listened(&self) -> bool {
        self.main_listens.load(Ordering::Relaxed)
    }

    /// Reports a failed session. A flood of them is counted, not queued: telling must not cost the
    /// program its memory.
    pub(crate) fn session_failed(&self, failure: SessionFailure) {
        self.failed_sessions.fetch_add(1, Ordering::Relaxed);
        let _ = self.failures.try_send(failure);
    }

    pub(super) fn count_cancelled(&self) {
        self.cancelled_sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// How many sessions were dropped because they may be, since the program began.
    pub(crate) fn cancelled_sessions(&self) -> u64 {
        self.cancelled_sessions.load(Ordering::Relaxed)
    }

    pub(crate) fn failed_sessions(&self) -> u64 {
        self.failed_sessions.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn now(&self) -> Birth {
        // Relaxed: an age may be a tick off.
        Birth::from_bits(self.now.load(Ordering::Relaxed))
    }

    pub(super) fn set_now(&self, tick: u32) {
        self.now.store(Birth::at(tick).to_bits(), Ordering::Relaxed);
    }

    /// Lets the control plane count again. Many changes at once are one.
    pub(super) fn sessions_changed(&self) {
        // Relaxed: whoever listens counts by itself every few milliseconds.
        if self.listens.load(Ordering::Relaxed) {
            self.changed.notify_one();
        }
    }

    /// Says whether each session that ends is worth a count.
    pub(crate) fn listen_for_changes(&self, listens: bool) {
        self.listens.store(listens, Ordering::Relaxed);
    }

    /// Waits until some session has ended. Cancel safe.
    pub(crate) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }

    /// From now on this runtime's threads belong to this supervisor, also those that only visit. Returns
    /// the data plane's handle unless it was detached.
    pub(crate) fn attach_data_plane(&'static self, handle: &runtime::Handle) -> Option<Arc<runtime::Handle>> {
        let mut data_plane = self.lock_data_plane();
        if matches!(*data_plane, DataPlane::Awaited) {
            lock_attached().push((handle.id(), self.root()));
            *data_plane = DataPlane::Attached(Arc::new(handle.clone()));
        }
        data_plane.handle()
    }

    pub(super) fn event_streams(&self) -> &EventStreams {
        &self.event_streams
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(super) fn off_control(&self) -> &OffControl {
        &self.off_control
    }

    /// Gives the handle of a runtime back that was shut down. It keeps the runtime's descriptors open.
    pub(crate) fn detach_data_plane(&self) {
        let before = std::mem::replace(&mut *self.lock_data_plane(), DataPlane::Detached);
        lock_attached().retain(|(_, scope)| !(ptr::eq(scope.supervisor, self) && scope.owner == Owner::Root));
        drop(before);
    }

    pub(crate) fn data_plane(&self) -> Option<Arc<runtime::Handle>> {
        self.lock_data_plane().handle()
    }

    fn lock_data_plane(&self) -> std::sync::MutexGuard<'_, DataPlane> {
        self.data_plane.lock().expect("nothing panics while it holds the data plane's handle")
    }
}

/// Runtimes and the scopes that they belong to, for threads that entered one by its handle: the data plane
/// to the root, a service's own to the service.
static ATTACHED: Mutex<Vec<(runtime::Id, &'static Scope)>> = Mutex::new(Vec::new());

fn lock_attached() -> std::sync::MutexGuard<'static, Vec<(runtime::Id, &'static Scope)>> {
    ATTACHED.lock().expect("nothing panics while it holds the list of runtimes")
}

/// While it lives, a runtime belongs to a service.
#[derive(Debug)]
pub(crate) struct AttachedRuntime(runtime::Id);

impl AttachedRuntime {
    pub(super) fn new(handle: &runtime::Handle, scope: &'static Scope) -> Self {
        lock_attached().push((handle.id(), scope));
        Self(handle.id())
    }
}

impl Drop for AttachedRuntime {
    fn drop(&mut self) {
        lock_attached().retain(|(id, _)| *id != self.0);
    }
}

/// The scope of the runtime that this thread is in. Slower than the thread's own scope, and asked for only
/// where that is not set.
#[cold]
pub(super) fn scope_of_current_runtime() -> Option<&'static Scope> {
    let runtime = runtime::Handle::try_current().ok()?.id();
    let attached = lock_attached();
    attached.iter().find(|(id, _)| *id == runtime).map(|&(_, scope)| scope)
}

//! What all scopes of one supervisor share: the mailbox of the control plane, the current tick, and the places
//! where user code runs.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::flush::{Flush, FlushHooks};
use super::forked::HomeProcess;
use super::kept::{Kept, KeptDropped};
use super::message::{Inbox, Message, SessionFailure};
use super::numbers::Numbers;
use super::off_control::OffControl;
use super::quiet::Quiet;
use super::returned_error::{Inspectors, ReturnedError};
use super::tagged::SpawnTick;
use crate::machine::{Event, Input, Straggler};
use crate::report::ReportThread;

/// How many failed sessions may wait for their report. Beyond it they are only counted.
const FAILURES_IN_FLIGHT: usize = 1_024;

/// The part of a supervisor that its scopes refer to. It is never freed, as they are not.
#[derive(Debug)]
pub(crate) struct Hub {
    mailbox: mpsc::UnboundedSender<Message>,
    failures: mpsc::Sender<SessionFailure>,
    failed_sessions: AtomicU64,
    cancelled_sessions: AtomicU64,
    quiet: Quiet,
    /// How many groups of sessions with a grace of their own there ever were.
    groups: Mutex<usize>,
    /// A session has ended while the control plane listens.
    changed: Notify,
    /// The control plane wants to count after each session that ends. It does not while there are many.
    listens: AtomicBool,
    /// The program has requested its stop.
    shutdown_requested: AtomicBool,
    /// `main` has asked for its lifecycle, or has started something.
    main_listens: AtomicBool,
    run_called: AtomicBool,
    off_control: OffControl,
    /// Grows with each counter that is added, and each scope that is added to or removed from the supervisor.
    counters_version: AtomicU64,
    /// Set at the stop request: the time by which the program ends.
    draining: OnceLock<Instant>,
    draining_token: CancellationToken,
    home_process: HomeProcess,
    kept: Kept,
    flush_hooks: FlushHooks,
    numbers: Mutex<Numbers>,
    error_inspectors: Inspectors,
    /// The supervisor around it, for code that has only a scope.
    supervisor: OnceLock<&'static (dyn Any + Send + Sync)>,
}

impl Hub {
    pub(super) fn new() -> (Self, Inbox) {
        let (mailbox, messages) = mpsc::unbounded_channel();
        let (failure_sender, failures) = mpsc::channel(FAILURES_IN_FLIGHT);
        let hub = Self {
            mailbox,
            failures: failure_sender,
            failed_sessions: AtomicU64::new(0),
            cancelled_sessions: AtomicU64::new(0),
            quiet: Quiet::new(),
            groups: Mutex::new(0),
            changed: Notify::new(),
            listens: AtomicBool::new(false),
            shutdown_requested: AtomicBool::new(false),
            main_listens: AtomicBool::new(false),
            run_called: AtomicBool::new(false),
            off_control: OffControl::default(),
            counters_version: AtomicU64::new(0),
            draining: OnceLock::new(),
            draining_token: CancellationToken::new(),
            home_process: HomeProcess::this(),
            kept: Kept::default(),
            flush_hooks: FlushHooks::default(),
            numbers: Mutex::new(Numbers::new()),
            error_inspectors: Inspectors::default(),
            supervisor: OnceLock::new(),
        };
        (hub, Inbox { messages, failures })
    }

    pub(super) fn set_supervisor(&self, supervisor: &'static (dyn Any + Send + Sync)) {
        let _ = self.supervisor.set(supervisor);
    }

    pub(super) fn supervisor(&self) -> Option<&'static (dyn Any + Send + Sync)> {
        self.supervisor.get().copied()
    }

    /// Sends a message to the control plane. It is lost once that has ended, when nothing is left to decide.
    pub(crate) fn send(&self, message: Message) {
        self.home_process.end_fork();
        let _ = self.mailbox.send(message);
    }

    pub(crate) fn event(&self, event: Input) {
        self.send(Message::Input(event));
    }

    /// Reports an event that needs no decision.
    pub(crate) fn emit(&self, event: Event) {
        self.send(Message::Emit(event));
    }

    /// Requests the stop of the program. Only the first request is sent, as only its reason counts.
    pub(crate) fn request_shutdown(&self, reason: String) {
        if !self.shutdown_requested.swap(true, Ordering::Relaxed) {
            self.event(Input::ShutdownRequested { reason });
        }
    }

    /// Notes that the root's lifecycle is used: from now on a stop request signals `main` and does not drop it.
    pub(crate) fn main_listens(&self) {
        // Read first: a word that many threads write is slow, one that they read is not.
        if !self.main_listens.load(Ordering::Relaxed) && !self.main_listens.swap(true, Ordering::Relaxed) {
            self.event(Input::MainListens);
        }
    }

    /// Returns true once [`main_listens`](Self::main_listens) was called, whether or not the control plane has
    /// read the message.
    pub(crate) fn main_has_listened(&self) -> bool {
        self.main_listens.load(Ordering::Relaxed)
    }

    /// Notes that `run()` was called: a `main` that returns after it does not wait for the services.
    ///
    /// Relaxed: the user orders a call on another thread and the end of `main`.
    pub(crate) fn run_is_called(&self) {
        self.run_called.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_run_called(&self) -> bool {
        self.run_called.load(Ordering::Relaxed)
    }

    /// Reports a failed session. Beyond [`FAILURES_IN_FLIGHT`] it is only counted, so that a flood of failures
    /// uses no memory.
    pub(super) fn session_failed(&self, failure: SessionFailure) {
        self.failed_sessions.fetch_add(1, Ordering::Relaxed);
        let _ = self.failures.try_send(failure);
    }

    /// How many sessions have failed since the program began.
    pub(crate) fn failed_sessions(&self) -> u64 {
        self.failed_sessions.load(Ordering::Relaxed)
    }

    pub(super) fn count_cancelled(&self) {
        self.cancelled_sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// How many sessions were cancelled since the program began.
    pub(crate) fn cancelled_sessions(&self) -> u64 {
        self.cancelled_sessions.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn now(&self) -> SpawnTick {
        self.quiet.now()
    }

    pub(super) fn set_now(&self, began: Instant, now: Instant) {
        self.quiet.set_now(began, now);
    }

    /// Lets threads of the data plane notify the control plane when they wake up, until the first one does.
    pub(crate) fn begin_quiet(&self) {
        self.quiet.begin();
    }

    pub(crate) fn end_quiet(&self) {
        self.quiet.end();
    }

    /// A thread of the data plane wakes up.
    pub(crate) fn thread_wakes(&self) {
        self.quiet.thread_wakes();
    }

    /// Completes when a thread has woken up after [`begin_quiet`](Self::begin_quiet). Cancel safe.
    pub(crate) async fn quiet_ended(&self) {
        self.quiet.ended().await;
    }

    /// The number of the next group. While the guard is held no group is added, so a list of scopes that is made
    /// meanwhile has every group below that number.
    pub(super) fn lock_groups(&self) -> MutexGuard<'_, usize> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Release: a thread that reads the new version finds what was added before.
    pub(super) fn counters_changed(&self) {
        self.counters_version.fetch_add(1, Ordering::Release);
    }

    pub(super) fn counters_version(&self) -> u64 {
        self.counters_version.load(Ordering::Acquire)
    }

    /// Lets the control plane count again. Many changes at once lead to one count.
    pub(super) fn sessions_changed(&self) {
        // Relaxed: while it waits for sessions, the control plane counts every few milliseconds anyway.
        if self.listens.load(Ordering::Relaxed) {
            self.changed.notify_one();
        }
    }

    /// Sets whether each session that ends leads to a count.
    pub(crate) fn listen_for_changes(&self, listens: bool) {
        self.listens.store(listens, Ordering::Relaxed);
    }

    /// Waits until a session has ended. Cancel safe.
    pub(crate) async fn wait_for_change(&self) {
        self.changed.notified().await;
    }

    /// Notes the stop request: the program ends by `deadline`. Later calls change nothing.
    pub(crate) fn begin_draining(&'static self, deadline: Instant) {
        if self.draining.set(deadline).is_ok() {
            self.run_off_control(|| self.draining_token.cancel());
        }
    }

    /// The time by which the program ends, once its stop was requested.
    pub(crate) fn program_deadline(&self) -> Option<Instant> {
        self.draining.get().copied()
    }

    /// Cancelled soon after [`begin_draining`](Self::begin_draining).
    pub(crate) fn draining_token(&self) -> &CancellationToken {
        &self.draining_token
    }

    pub(crate) fn off_control(&self) -> &OffControl {
        &self.off_control
    }

    /// The runtime of the user's code, while there is one.
    pub(crate) fn data_plane(&self) -> Option<Arc<Handle>> {
        self.off_control.data_plane().handle()
    }

    /// Runs a job of user code on the data plane or the report thread, never on the calling thread. Its panic is
    /// caught.
    pub(crate) fn run_off_control(&'static self, job: impl FnOnce() + Send + 'static) {
        self.off_control.run(job);
    }

    /// Lets this thread run jobs too.
    pub(crate) fn attach_report_thread(&'static self, report_thread: ReportThread) {
        self.off_control.attach_report_thread(report_thread);
    }

    /// Asks for turns while jobs are queued.
    pub(crate) fn ask_for_turns(&'static self) {
        self.off_control.ask_for_turns();
    }

    /// Calls this for every event from now on.
    pub(crate) fn observe(&self, observer: impl FnMut(&Event) + Send + 'static) {
        self.off_control.observe(observer);
    }

    /// Calls this with every error of a service or session from now on.
    pub(crate) fn inspect_errors(&self, inspector: Arc<dyn Fn(&ReturnedError<'_>) + Send + Sync>) {
        self.error_inspectors.push(inspector);
    }

    pub(super) fn error_inspectors(&self) -> &Inspectors {
        &self.error_inspectors
    }

    /// Keeps a value until the last line is written.
    pub(crate) fn keep(&self, value: Box<dyn Any + Send>) {
        self.kept.push(value);
        self.event(Input::Kept);
    }

    /// Drops what was kept, and waits for it at most `limit`.
    pub(crate) fn drop_kept(&self, limit: Duration) -> KeptDropped {
        self.kept.drop_all(limit)
    }

    pub(crate) fn add_flush_hook(&self, name: String, hook: Flush) {
        self.flush_hooks.add(name, hook);
        self.event(Input::FlushHookAdded);
    }

    pub(super) fn begin_flush_hooks(&self) -> Vec<(u64, String, Flush)> {
        self.flush_hooks.begin()
    }

    /// A hook has returned, or could not run.
    pub(super) fn flush_ended(&self, number: u64, name: String, panic: Option<String>) {
        self.flush_hooks.end(number);
        self.event(Input::Flushed { name, panic });
    }

    /// The hooks that have not ended.
    pub(crate) fn unfinished_flushes(&self) -> Vec<Straggler> {
        self.flush_hooks.unfinished()
    }

    /// The numbers; nothing panics or waits while it holds them.
    pub(crate) fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

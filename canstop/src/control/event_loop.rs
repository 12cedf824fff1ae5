//! The control plane's loop: turns what happens into inputs of the machine, one at a time.
//!
//! # Order and bounds
//!
//! Each turn looks at signals first, then at the timers, then at messages of the data plane, then at failed
//! sessions. It reads a bounded number of each, so that no flood of one keeps the others out. Messages that
//! were there before a signal or a timer count before it: what has ended by then is not abandoned.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::clock::{Clock, later};
use super::drain_stats::DrainStats;
use super::exit_guard::ExitGuard;
use super::frozen::frozen_span;
use super::main_channels::MainChannels;
use super::operations::Operations;
use super::service_table::ServiceTable;
use super::settings::Settings;
use super::signals::{Delivery, replaced_handler};
use crate::health::Question;
use crate::machine::{Event, Exit, Input, Jitter, Owner, Report, State, Time};
use crate::report::Reporter;
use crate::session::{
    Inbox, Message, Scope, SessionCounter, SessionFailure, Supervisor, TICK, Watch, stop_watching_sessions,
};

/// The first interval between counts of sessions; it doubles while nothing changes.
pub(super) const RECOUNT_SOONEST: Duration = Duration::from_millis(1);

/// How many messages, and how many failed sessions, one turn reads.
pub(super) const BATCH: usize = 1_024;
/// How many messages are read before a signal or a timer that they may have come before.
const BACKLOG: usize = 16 * BATCH;
/// How often the signal handlers are checked.
const CHECK_HANDLERS_EVERY: Duration = Duration::from_secs(1);

/// The control plane's state: the machine, and what it decides about.
pub(crate) struct EventLoop {
    pub(super) supervisor: &'static Supervisor,
    pub(super) clock: Clock,
    pub(super) state: State,
    pub(super) services: ServiceTable,
    pub(super) drain_stats: DrainStats,
    pub(super) watch: Watch,
    pub(super) reporter: Reporter,
    pub(super) main: MainChannels,
    pub(super) operations: Operations,
    /// Holds the process to its deadline. A test has none.
    pub(super) guard: Option<&'static ExitGuard>,
    /// The callers of `run()`.
    pub(super) in_run: Vec<oneshot::Sender<Report>>,
    /// Set when the machine has finished.
    pub(super) over: Option<Over>,
    pub(super) data_plane_gone: bool,
    /// The sockets that the process manager passed were compared with the listeners.
    pub(super) compared_passed_sockets: bool,
    /// How many sessions the last count found.
    pub(super) alive: u64,
    pub(super) recount_after: Duration,
    pub(super) sessions: SessionCounter,
    /// The owners of the last count.
    pub(super) counted: Vec<Owner>,
    /// The groups of sessions that the machine knows, by their numbers.
    pub(super) groups: Vec<&'static Scope>,
    /// The time of the machine's last input. It never goes back.
    now: Time,
    /// The exit code that the guard has.
    noted: Exit,
    /// Services that have registered themselves, in a program that links no crate.
    pub(super) not_linked: Vec<String>,
    ticked: Instant,
    next_tick: Instant,
    /// The length of the present tick: longer while the data plane is quiet.
    pub(super) tick: Duration,
    handlers_checked: Instant,
    handler_was_replaced: bool,
    /// Messages of the present turn; kept for its allocation.
    pub(super) batch: Vec<Message>,
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The data plane may still drop what it holds.
    Finished,
    /// The process ends now.
    Forced,
    /// There is no program: the runtime could not be built.
    NeverLaunched,
}

/// What one turn waits for.
enum Turn {
    Signal(Delivery),
    Timer,
    Question(Question),
    Messages,
    Failure(SessionFailure),
    SessionsChanged,
    /// A thread of the data plane woke up, which was quiet.
    DataPlaneWoke,
}

impl EventLoop {
    pub(crate) fn new(
        supervisor: &'static Supervisor,
        settings: &Settings,
        reporter: Reporter,
        main: MainChannels,
    ) -> Self {
        let clock = Clock::start();
        Self {
            supervisor,
            clock,
            state: State::new(settings.allowance, Jitter::seeded(settings.seed)).with_sources(settings.sources),
            services: ServiceTable::default(),
            drain_stats: DrainStats::default(),
            watch: Watch::default(),
            reporter,
            main,
            operations: Operations::unseen(),
            guard: None,
            in_run: Vec::new(),
            over: None,
            data_plane_gone: false,
            compared_passed_sockets: false,
            alive: 0,
            recount_after: RECOUNT_SOONEST,
            sessions: SessionCounter::default(),
            counted: Vec::new(),
            groups: Vec::new(),
            now: Time::default(),
            noted: Exit::Clean,
            not_linked: Vec::new(),
            ticked: clock.began(),
            next_tick: clock.began(),
            tick: TICK,
            handlers_checked: clock.began(),
            handler_was_replaced: false,
            batch: Vec::new(),
        }
    }

    /// This one runs a program: the guard holds the process to its deadline.
    pub(super) fn guarded_by(self, guard: &'static ExitGuard) -> Self {
        Self { guard: Some(guard), services: self.services.with_own_runtimes(), ..self }
    }

    /// Runs until the machine has finished. `next_signal` is asked for one signal at a time, and the future
    /// that it returns may be dropped before it is ready.
    pub(crate) async fn run(&mut self, mut next_signal: impl AsyncFnMut() -> Delivery, inbox: &mut Inbox) -> Over {
        loop {
            if let Some(over) = self.over {
                if self.state.watches_sessions() {
                    stop_watching_sessions();
                }
                return over;
            }
            let supervisor = self.supervisor;
            let counts = self.state.watches_sessions();
            let due = self.wake_at().min(self.next_tick);
            // A timer that is overdue already waits for this thread, which was busy.
            let waits_until = due.max(Instant::now());
            let turn = tokio::select! {
                biased;
                delivery = next_signal() => Turn::Signal(delivery),
                () = sleep_until(due) => Turn::Timer,
                question = self.operations.next_question() => Turn::Question(question),
                _ = inbox.messages.recv_many(&mut self.batch, BATCH) => Turn::Messages,
                Some(failure) = inbox.failures.recv() => Turn::Failure(failure),
                () = supervisor.wait_for_change(), if counts => Turn::SessionsChanged,
                () = supervisor.quiet_ended() => Turn::DataPlaneWoke,
            };
            self.forgive_frozen_time(waits_until);
            if !matches!(turn, Turn::Timer) {
                self.resume_ticks();
            }
            match turn {
                Turn::Signal(delivery) => self.signal(delivery, inbox),
                Turn::Timer => self.timer(inbox),
                Turn::Question(question) => self.answer(question),
                Turn::Messages => self.read_batch(),
                Turn::Failure(failure) => self.report_failure(failure),
                Turn::SessionsChanged => self.happened(Input::Wake),
                Turn::DataPlaneWoke => {}
            }
            self.read_some(inbox, BATCH);
            self.report_some_failures(inbox);
        }
    }

    /// Goes on reading while the data plane shuts down, until it is gone or `limit` has passed.
    pub(super) async fn await_runtime_shutdown(&mut self, inbox: &mut Inbox, limit: Duration) {
        let limit = sleep_until(later(Instant::now(), limit));
        tokio::pin!(limit);
        while !self.data_plane_gone {
            tokio::select! {
                biased;
                () = &mut limit => break,
                question = self.operations.next_question() => self.answer(question),
                Some(message) = inbox.messages.recv() => self.read(message),
                Some(failure) = inbox.failures.recv() => self.report_failure(failure),
            }
        }
        self.report_some_failures(inbox);
    }

    /// Reports sessions that have failed, at most a batch of them.
    fn report_some_failures(&self, inbox: &mut Inbox) {
        for _ in 0..BATCH {
            let Ok(failure) = inbox.failures.try_recv() else { break };
            self.report_failure(failure);
        }
    }

    pub(super) fn data_plane_is_gone(&self) -> bool {
        self.data_plane_gone
    }

    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let recount = if self.state.watches_sessions() { self.recount_after } else { Duration::from_secs(3_600) };
        let asked = self.state.wake_at().map(|time| self.clock.instant(time));
        asked.map_or(now + recount, |asked| asked.min(now + recount))
    }

    /// If this thread waited until `due` and has not run since, the process was frozen. The machine gives that span
    /// back. A test's clock may jump by hours, which is no freeze.
    fn forgive_frozen_time(&mut self, due: Instant) {
        if self.guard.is_some()
            && let Some(span) = frozen_span(due, Instant::now())
        {
            self.step(Input::Frozen { span });
        }
    }

    fn signal(&mut self, Delivery { signal, at, from_terminal }: Delivery, inbox: &mut Inbox) {
        // The message may be behind a flood: a `main` that has just asked for its lifecycle must not be
        // dropped like one that never did.
        if self.supervisor.main_has_listened() {
            self.step(Input::MainListens);
        }
        self.read_some(inbox, BACKLOG);
        self.happened(Input::Signal { signal, at: self.clock.time(at), from_terminal });
        if let Some(guard) = self.guard {
            guard.signal_read();
        }
    }

    fn timer(&mut self, inbox: &mut Inbox) {
        let now = Instant::now();
        let ticks = now >= self.next_tick;
        if ticks {
            self.supervisor.ask_for_turns();
            self.watch.tick(self.supervisor, self.clock.began(), now);
            self.look_around();
            self.plan_tick(now);
            self.check_handlers(now);
        } else {
            self.resume_ticks();
        }
        self.read_some(inbox, BACKLOG);
        if self.wake_is_due() || self.state.watches_sessions() || ticks && self.services.await_sessions() {
            self.happened(Input::Wake);
        }
    }

    /// Plans the next tick. While the data plane is quiet, that is a long one, which ends when a thread wakes up.
    fn plan_tick(&mut self, now: Instant) {
        self.ticked = now;
        if self.goes_quiet() {
            self.tick = self.operations.quiet_tick;
            self.next_tick = now + self.tick;
            return;
        }
        self.tick = TICK;
        // Ticks that were missed are not made up for.
        let missed = now.duration_since(self.next_tick).as_nanos() / TICK.as_nanos();
        self.next_tick += TICK * u32::try_from(missed + 1).unwrap_or(u32::MAX);
    }

    /// Something happened: the next tick is no later than it is while something runs.
    fn resume_ticks(&mut self) {
        if self.tick > TICK {
            self.supervisor.end_quiet();
            self.next_tick = self.next_tick.min((self.ticked + TICK).max(Instant::now()));
        }
    }

    fn wake_is_due(&self) -> bool {
        self.state.wake_at().is_some_and(|at| self.clock.now() >= at)
    }

    /// Reports once that a signal handler was replaced: that signal no longer stops the program.
    fn check_handlers(&mut self, now: Instant) {
        if now.duration_since(self.handlers_checked) < CHECK_HANDLERS_EVERY {
            return;
        }
        self.handlers_checked = now;
        if self.guard.is_some()
            && !self.handler_was_replaced
            && let Some(signal) = replaced_handler()
        {
            self.handler_was_replaced = true;
            self.emit(Event::SignalHandlerReplaced { signal }, false);
        }
    }

    /// Hands an input to the machine, after a count of the sessions: the machine never judges by an old one.
    pub(super) fn happened(&mut self, input: Input) {
        self.supervisor.continue_waking();
        self.count_sessions();
        self.step(input);
        self.services.publish(&mut self.state);
        self.note_start();
        self.publish_stop();
    }

    pub(super) fn step(&mut self, input: Input) {
        let now = self.clock.now();
        self.step_at(now, input);
    }

    pub(super) fn step_at(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        let actions = self.state.handle(self.now, input);
        // What an action wakes reads the phase in which it is woken.
        self.supervisor.numbers().phase = self.state.phase();
        for action in actions {
            self.perform(action);
        }
        if let Some(guard) = self.guard
            && self.noted != self.state.exit()
        {
            self.noted = self.state.exit();
            guard.note(self.noted);
        }
    }
}

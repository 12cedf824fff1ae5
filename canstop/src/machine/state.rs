//! The machine: every decision, without a clock, a lock or a thread.
//!
//! The control plane passes what happened and the time; the machine returns what to do, and when it wants
//! to be woken. Starting services is in [`super::supervise`], the end of a run in [`super::ended`], requests
//! for single services in [`super::requests`], the stop in [`super::stop`], abandoning in
//! [`super::abandon`].
//!
//! # Invariants
//!
//! They hold under every order of inputs, and the tests of this folder try to break them.
//!
//! 1. It finishes exactly once, and if it is woken when it asks to be, not later than the deadline. Only
//!    what was signalled too late to be polled even once may end up to [`TAIL`](super::budget::TAIL) later.
//! 2. Phases never go back. Nothing starts after a stop request, except that services are restarted during
//!    the drain delay, with the children that their new runs start.
//! 3. Nothing is abandoned before it was signalled to stop.
//! 4. A second signal, later than a duplicate can be, ends the drain delay, or the program in the same
//!    call.
//! 5. The end of an earlier run changes nothing about a later one.
//! 6. The exit is clean only if nothing failed and nothing was abandoned.
//! 7. A service is signalled only when every service that needs it, and every child of it, is over or
//!    abandoned; or, before its next run, those of them that stop for that.
//! 8. A service is over when its state is dropped, or that drop is abandoned.

use std::time::Duration;

use super::action::Action;
use super::backoff::Jitter;
use super::budget::Allowance;
use super::cause::{Cause, Signal};
use super::closing::Closing;
use super::event::Event;
use super::exit::Exit;
use super::handover::HandOver;
use super::id::{Owner, ServiceId};
use super::index::Index;
use super::input::{ExitReason, Input};
use super::phase::Phase;
use super::plan::Plan;
use super::readiness_memory::ReadinessMemory;
use super::schedule::Schedule;
use super::service::{Group, Service, Sessions};
use super::source::{SettingSource, StopSources};
use super::time::Time;

/// Two signals closer than this are one: a parent that sends INT and TERM, a shell that signals the
/// whole process group.
const DUPLICATE_WITHIN: Duration = Duration::from_millis(100);

/// Where the body of `main` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Main {
    /// It sets up, and could be dropped: nothing was accepted yet.
    SettingUp,
    /// It asked for its lifecycle or started something: it is signalled, and given time.
    Listening,
    /// It waits in `run()`.
    InRun,
    /// `run()` has returned, and the code after it runs.
    TearingDown,
    Ended,
    Abandoned,
}

impl Main {
    /// Does code of its own run, outside of `run()`?
    pub(super) fn is_busy(self) -> bool {
        matches!(self, Main::SettingUp | Main::Listening | Main::TearingDown)
    }
}

/// A stop that was requested.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) requested: Time,
    /// When its budget begins; later than the request if the process was frozen since.
    pub(super) budget_begins: Time,
    /// What was allowed for this stop.
    pub(super) allowance: Allowance,
    /// How much of it is kept for flush hooks and kept values.
    pub(super) reserve: Duration,
    pub(super) cause: Cause,
    pub(super) schedule: Schedule,
    /// The plan has changed since the budget was divided.
    pub(super) plan_changed: bool,
    /// Until when the root has time, once it was signalled.
    pub(super) root_until: Option<Time>,
    /// Until when the teardown of `main` has time, once it began.
    pub(super) teardown_until: Option<Time>,
    pub(super) next_waiting_line: Time,
}

/// The state of one supervisor.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(super) allowance: Allowance,
    pub(super) sources: StopSources,
    pub(super) readiness: ReadinessMemory,
    pub(super) closing: Closing,
    pub(super) hand_over: HandOver,
    pub(super) jitter: Jitter,
    /// The time of the input that is being handled.
    pub(super) now: Time,
    pub(super) phase: Phase,
    pub(super) main: Main,
    /// `run()` began before a stop was requested.
    pub(super) has_run: bool,
    pub(super) plan: Plan,
    pub(super) services: Vec<Service>,
    pub(super) root_sessions: Sessions,
    pub(super) groups: Vec<Group>,
    pub(super) index: Index,
    pub(super) stop: Option<Stop>,
    /// The last stop signal that counted.
    pub(super) last_signal: Option<Time>,
    /// How much frozen time was given back so far.
    pub(super) given_back: Duration,
    pub(super) exit: Exit,
    /// The control plane was asked to count sessions.
    pub(super) watching: bool,
    pub(super) actions: Vec<Action>,
}

impl State {
    pub(crate) fn new(allowance: Allowance, jitter: Jitter) -> Self {
        Self {
            allowance,
            sources: StopSources::default(),
            readiness: ReadinessMemory::default(),
            closing: Closing::default(),
            hand_over: HandOver::default(),
            jitter,
            now: Time::default(),
            phase: Phase::SettingUp,
            main: Main::SettingUp,
            has_run: false,
            plan: Plan::default(),
            services: Vec::new(),
            root_sessions: Sessions::default(),
            groups: Vec::new(),
            index: Index::default(),
            stop: None,
            last_signal: None,
            given_back: Duration::ZERO,
            exit: Exit::Clean,
            watching: false,
            actions: Vec::new(),
        }
    }

    /// Notes where the allowance comes from: the stop names it.
    pub(crate) fn with_sources(mut self, sources: StopSources) -> Self {
        self.sources = sources;
        self
    }

    /// Takes note of what happened, and returns what to do about it.
    #[must_use]
    pub(crate) fn handle(&mut self, now: Time, event: Input) -> Vec<Action> {
        if self.phase == Phase::Finished {
            return Vec::new();
        }
        self.now = now;
        self.note_time();
        self.refresh();
        match event {
            Input::Wake => {}
            // The input that follows decides with these counts.
            Input::SessionsCounted(counts) => {
                self.sessions_counted(&counts);
                self.refresh();
                self.set_timers();
                return Vec::new();
            }
            Input::Signal { signal, at, from_terminal } => self.signal(now, signal, at.min(now), from_terminal),
            Input::Frozen { span } => self.give_back(span),
            Input::SetGrace(grace) => self.set_grace(grace),
            Input::ShutdownRequested { reason } => self.request_stop(now, Cause::Requested(reason)),
            Input::MainListens => self.main_listens(),
            Input::ServiceAdded(spec) => self.add(*spec),
            Input::GroupAdded { home, grace, cancels } => self.add_group(now, home, grace, cancels),
            Input::RunCalled => self.run_called(now),
            Input::MainEnded(reason) => self.main_ended(now, reason),
            Input::ServiceReady { id, run, location } => self.service_ready(id, run, location),
            Input::StateDropped { id, run, panic } => self.state_dropped(now, id, run, panic),
            Input::FlushHookAdded => self.add_flush_hook(),
            Input::Flushed { name, panic } => self.flushed(name, panic),
            Input::Kept => self.keep_for_the_end(),
            Input::HoldReadiness { hold, reason } => self.hold_readiness(hold, reason),
            Input::ReleaseReadiness { hold } => self.release_readiness(hold),
            Input::ServiceEnded { id, run, reason } => self.service_ended(now, id, run, reason),
            Input::StopService { id, before } => self.request_service_stop(id, before),
            Input::RestartService { id, before } => self.request_service_restart(now, id, before),
            Input::HandOver(input) => self.hand_over_happened(now, input),
        }
        if !self.phase.is_stopping() {
            self.supervise(now);
            self.end_late_hand_over(now);
        }
        if self.phase.is_stopping() {
            self.proceed(now);
        }
        self.note_readiness(now);
        self.announce_to_predecessor();
        self.refresh();
        self.set_timers();
        std::mem::take(&mut self.actions)
    }

    /// When to send [`Input::Wake`] if nothing else happens before.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        if self.phase == Phase::Finished { None } else { self.index.timers.next() }
    }

    /// The first signal requests a stop, and the budget begins when it was delivered. One later than a
    /// duplicate can be ends the drain delay, or else the program.
    fn signal(&mut self, now: Time, signal: Signal, at: Time, from_terminal: bool) {
        let is_duplicate = self.last_signal.is_some_and(|last| at.since(last) <= DUPLICATE_WITHIN);
        if is_duplicate || self.last_signal.is_none() && self.stop.is_some() {
            self.emit(Event::DuplicateSignal { signal });
        }
        if is_duplicate {
            return;
        }
        let is_first = self.last_signal.replace(at).is_none();
        if self.stop.is_none() {
            let drain_delay = if from_terminal { Duration::ZERO } else { self.allowance.drain_delay };
            self.request_stop_since(at, Cause::Signal(signal), Allowance { drain_delay, ..self.allowance });
        } else if self.phase == Phase::DrainDelay {
            if !is_first {
                self.emit(Event::DuplicateSignal { signal });
            }
            if !is_first || from_terminal {
                self.end_drain_delay(now);
            }
        } else if !is_first {
            self.exit = self.exit.max(Exit::Forced(signal));
            self.phase = Phase::Finished;
            self.actions.push(Action::ForceExit);
        }
    }

    /// Whether code may set the grace: before a stop, which keeps what it was allowed, and unless an environment
    /// variable did, which the operator of the program chose.
    pub(crate) fn takes_grace(&self) -> bool {
        self.stop.is_none() && !matches!(self.sources.grace, SettingSource::Environment(_))
    }

    fn set_grace(&mut self, grace: Duration) {
        if self.takes_grace() {
            self.allowance.grace = grace;
            self.sources.grace = SettingSource::Code;
            if let SettingSource::Platform(platform) = self.sources.drain_delay {
                self.allowance.drain_delay = platform.drain_delay_within(grace);
            }
            if self.phase == Phase::Running {
                self.report_short_drain_delay();
            }
        }
    }

    fn main_listens(&mut self) {
        if self.main == Main::SettingUp {
            self.main = Main::Listening;
        }
    }

    fn run_called(&mut self, now: Time) {
        if !matches!(self.main, Main::SettingUp | Main::Listening) {
            return;
        }
        self.main = Main::InRun;
        self.begin_running(now);
    }

    /// `main` that returns without having called `run()` is as good as one that calls it last.
    fn main_ended(&mut self, now: Time, reason: ExitReason) {
        let was = self.main;
        if matches!(was, Main::Ended | Main::Abandoned) {
            return;
        }
        self.main = Main::Ended;
        if let Some(error) = reason.error() {
            let error = error.to_owned();
            self.exit = self.exit.max(Exit::Failed);
            self.emit(Event::MainFailed { error: error.clone() });
            self.request_stop(now, Cause::MainFailed(error));
        } else if matches!(was, Main::InRun | Main::TearingDown) {
            self.request_stop(now, Cause::MainReturned);
        } else {
            self.begin_running(now);
        }
    }

    fn sessions_counted(&mut self, counts: &[(Owner, u64)]) {
        for &(owner, alive) in counts {
            match owner {
                Owner::Root => self.root_sessions.alive = alive,
                Owner::Service(id) => {
                    if self.services.get(id.0).is_some_and(|service| service.sessions.alive != alive) {
                        self.service_mut(id).sessions.alive = alive;
                    }
                }
                Owner::Group(id) => {
                    if self.groups.get(id).is_some_and(|group| group.sessions.alive != alive) {
                        self.change_group(id, |group| group.sessions.alive = alive);
                    }
                }
            }
        }
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.actions.push(Action::Emit(event));
    }

    /// Has the stop gone past the drain delay? Until then services are supervised as before it.
    pub(super) fn is_ending(&self) -> bool {
        self.phase >= Phase::Stopping(0)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ServiceId> + use<> {
        (0..self.services.len()).map(ServiceId)
    }

    pub(super) fn service(&self, id: ServiceId) -> &Service {
        &self.services[id.0]
    }

    pub(super) fn name(&self, id: ServiceId) -> String {
        self.service(id).spec.name.clone()
    }
}

/// What the control plane may read.
impl State {
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn services(&self) -> &[Service] {
        &self.services
    }

    /// Why the program stops, once it does.
    pub(crate) fn cause(&self) -> Option<&Cause> {
        self.stop.as_ref().map(|stop| &stop.cause)
    }

    pub(crate) fn stop_requested(&self) -> Option<Time> {
        self.stop.as_ref().map(|stop| stop.requested)
    }

    /// Does a count of the sessions change what the machine does next?
    pub(crate) fn watches_sessions(&self) -> bool {
        self.watching
    }

    /// Everything that is still there, whether its time is up or not.
    pub(crate) fn left(&self) -> super::action::Abandoned {
        super::action::Abandoned {
            main: self.main.is_busy(),
            services: self
                .ids()
                .filter(|&id| self.service(id).is_busy())
                .map(|id| (id, self.service(id).run))
                .collect(),
            sessions: self
                .owners()
                .map(|owner| (owner, self.sessions(owner)))
                .filter(|(_, sessions)| !sessions.are_drained())
                .map(|(owner, sessions)| (owner, sessions.alive))
                .collect(),
        }
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = Owner> + use<> {
        let groups = (0..self.groups.len()).map(Owner::Group);
        std::iter::once(Owner::Root).chain(self.ids().map(Owner::Service)).chain(groups)
    }

    pub(super) fn sessions(&self, owner: Owner) -> Sessions {
        match owner {
            Owner::Root => self.root_sessions,
            Owner::Service(id) => self.service(id).sessions,
            Owner::Group(group) => self.groups[group].sessions,
        }
    }

    /// Abandons what is left of an owner's sessions, and returns how many that are.
    pub(super) fn abandon_sessions_of(&mut self, owner: Owner) -> u64 {
        match owner {
            Owner::Root => self.root_sessions.abandon(),
            Owner::Service(id) => self.service_mut(id).sessions.abandon(),
            Owner::Group(id) => {
                let mut left = 0;
                self.change_group(id, |group| left = group.sessions.abandon());
                left
            }
        }
    }

    /// An owner and the groups that stand under it.
    pub(super) fn family(&self, home: Owner) -> Vec<Owner> {
        std::iter::once(home).chain(self.groups_of(home).iter().copied().map(Owner::Group)).collect()
    }

    pub(super) fn are_sessions_drained(&self, home: Owner) -> bool {
        let groups = self.groups_of(home).iter();
        self.sessions(home).are_drained() && groups.copied().all(|group| self.groups[group].sessions.are_drained())
    }

    /// Is nothing left of a service and its sessions, whatever is left of its children?
    pub(super) fn is_itself_drained(&self, id: ServiceId) -> bool {
        !self.service(id).is_busy() && self.are_sessions_drained(Owner::Service(id))
    }

    /// When what is left of a service is abandoned, once it was signalled to stop.
    pub(super) fn time_ends(&self, id: ServiceId) -> Option<Time> {
        self.service(id).stop_by.filter(|_| !self.is_itself_drained(id))
    }

    /// By when the program ends, once its stop was requested.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.stop.as_ref().map(|stop| stop.schedule.budget().deadline() + stop.reserve)
    }
}

//! The machine: everything that is decided, without a clock, a lock or a thread.
//!
//! The shell says what happened and what time it is; the machine answers with what to do, and when
//! it wants to be woken. How services are started stands in [`super::supervise`], what the end of a life
//! leads to in [`super::ended`], what is wanted of single ones in [`super::wishes`], how the program stops
//! in [`super::stop`], and what is left behind in [`super::abandon`].
//!
//! # Invariants
//!
//! They hold under every order of events, and the tests of this folder try to break them.
//!
//! 1. It finishes exactly once, and if it is woken when it asks to be, not later than the deadline.
//! 2. Phases never go back, and nothing starts after a stop request.
//! 3. Nothing is abandoned that was not told to stop before.
//! 4. A second signal, later than a duplicate can be, ends it in the same call.
//! 5. The end of an earlier life changes nothing about a later one.
//! 6. The exit is clean only if nothing failed and nothing was abandoned.
//! 7. A service is told to stop only when every service that needs it, and every child of it, is over
//!    or abandoned; or, where it is to begin a new life, those of them that are to stop for it.

use std::time::Duration;

use super::action::Action;
use super::backoff::Jitter;
use super::budget::Allowance;
use super::cause::{Cause, Signal};
use super::event::Event;
use super::exit::Exit;
use super::id::{Owner, ServiceId};
use super::input::{ExitReason, Input};
use super::phase::Phase;
use super::plan::Plan;
use super::readiness::ReadinessMemory;
use super::schedule::Schedule;
use super::service::{Group, Service, Sessions};
use super::source::StopSources;
use super::time::Time;

/// Two signals closer than this are one: a parent that sends INT and TERM, a shell that signals the
/// whole process group.
const DUPLICATE_WITHIN: Duration = Duration::from_millis(100);

/// Where the body of `main` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Main {
    /// It sets up, and could be dropped: nothing was accepted yet.
    SettingUp,
    /// It asked for its lifecycle or started something: it is told, and given time.
    Listening,
    /// It waits in `run()`.
    InRun,
    /// `run()` has returned, and what stands after it runs.
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
    pub(super) cause: Cause,
    pub(super) schedule: Schedule,
    pub(super) next_waiting_line: Time,
}

/// The state of one supervisor.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(super) allowance: Allowance,
    pub(super) sources: StopSources,
    pub(super) readiness: ReadinessMemory,
    pub(super) jitter: Jitter,
    pub(super) phase: Phase,
    pub(super) main: Main,
    pub(super) plan: Plan,
    pub(super) services: Vec<Service>,
    pub(super) root_sessions: Sessions,
    pub(super) groups: Vec<Group>,
    pub(super) stop: Option<Stop>,
    pub(super) first_signal: Option<Time>,
    pub(super) exit: Exit,
    /// The shell was asked to count sessions.
    pub(super) watching: bool,
    pub(super) actions: Vec<Action>,
}

impl State {
    pub(crate) fn new(allowance: Allowance, jitter: Jitter) -> Self {
        Self {
            allowance,
            sources: StopSources::default(),
            readiness: ReadinessMemory::default(),
            jitter,
            phase: Phase::SettingUp,
            main: Main::SettingUp,
            plan: Plan::default(),
            services: Vec::new(),
            root_sessions: Sessions::default(),
            groups: Vec::new(),
            stop: None,
            first_signal: None,
            exit: Exit::Clean,
            watching: false,
            actions: Vec::new(),
        }
    }

    /// Takes note of what happened, and says what to do about it.
    #[must_use]
    pub(crate) fn handle(&mut self, now: Time, event: Input) -> Vec<Action> {
        if self.phase == Phase::Finished {
            return Vec::new();
        }
        match event {
            Input::Wake => {}
            Input::Signal { signal, at: _, from_terminal: _ } => self.signal(now, signal),
            Input::ShutdownRequested { reason } => self.request_stop(now, Cause::Requested(reason)),
            Input::MainListens => self.main_listens(),
            Input::ServiceAdded(spec) => self.add(*spec),
            Input::GroupAdded { home, grace, cancels } => self.add_group(now, home, grace, cancels),
            Input::RunCalled => self.run_called(now),
            Input::MainEnded(reason) => self.main_ended(now, reason),
            Input::Frozen { span: _ } | Input::SetGrace(_) | Input::StateDropped { .. } => {}
            Input::HoldReadiness { hold, reason } => self.hold_readiness(hold, reason),
            Input::ReleaseReadiness { hold } => self.release_readiness(hold),
            Input::ServiceReady { id, run, location: _ } => self.service_ready(id, run),
            Input::ServiceEnded { id, run, reason } => self.service_ended(now, id, run, reason),
            Input::StopService { id, before } => self.request_service_stop(id, before),
            Input::RestartService { id, before } => self.request_service_restart(now, id, before),
            Input::SessionsCounted(counts) => self.sessions_counted(&counts),
        }
        if !self.phase.is_stopping() {
            self.supervise(now);
        }
        if self.phase.is_stopping() {
            self.proceed(now);
        }
        self.note_readiness(now);
        std::mem::take(&mut self.actions)
    }

    /// When to send [`Input::Wake`] if nothing else happens before.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        match self.phase {
            Phase::Finished => None,
            Phase::SettingUp | Phase::Running => self.supervision_wakes_at(),
            Phase::DrainDelay | Phase::Stopping(_) | Phase::TearingDown => self.stop_wakes_at(),
        }
    }

    fn signal(&mut self, now: Time, signal: Signal) {
        match self.first_signal {
            None => {
                self.first_signal = Some(now);
                if self.stop.is_some() {
                    self.emit(Event::DuplicateSignal { signal });
                }
                self.request_stop(now, Cause::Signal(signal));
            }
            Some(first) if now.since(first) > DUPLICATE_WITHIN => {
                self.exit = self.exit.max(Exit::Forced(signal));
                self.phase = Phase::Finished;
                self.actions.push(Action::ForceExit);
            }
            Some(_) => self.emit(Event::DuplicateSignal { signal }),
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
                Owner::Service(ServiceId(id)) => {
                    if let Some(service) = self.services.get_mut(id) {
                        service.sessions.alive = alive;
                    }
                }
                Owner::Group(group) => {
                    if let Some(group) = self.groups.get_mut(group) {
                        group.sessions.alive = alive;
                    }
                }
            }
        }
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.actions.push(Action::Emit(event));
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

    pub(super) fn service_mut(&mut self, id: ServiceId) -> &mut Service {
        &mut self.services[id.0]
    }
}

/// What the shell may read.
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
                .filter(|&id| self.service(id).is_running())
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

    pub(super) fn sessions_mut(&mut self, owner: Owner) -> &mut Sessions {
        match owner {
            Owner::Root => &mut self.root_sessions,
            Owner::Service(id) => &mut self.service_mut(id).sessions,
            Owner::Group(group) => &mut self.groups[group].sessions,
        }
    }

    /// An owner and the groups that stand under it.
    pub(super) fn family(&self, home: Owner) -> Vec<Owner> {
        let under_it = |&group: &usize| self.groups[group].home == home;
        let groups = (0..self.groups.len()).filter(under_it).map(Owner::Group);
        std::iter::once(home).chain(groups).collect()
    }

    pub(super) fn are_sessions_drained(&self, home: Owner) -> bool {
        self.family(home).into_iter().all(|owner| self.sessions(owner).are_drained())
    }

    /// Is nothing left of a service, its sessions and its children included?
    pub(crate) fn is_drained(&self, id: ServiceId) -> bool {
        self.is_itself_drained(id) && self.plan.children(id).iter().all(|&child| self.is_drained(child))
    }

    /// The same, whatever is left of its children.
    pub(super) fn is_itself_drained(&self, id: ServiceId) -> bool {
        !self.service(id).is_running() && self.are_sessions_drained(Owner::Service(id))
    }

    /// When what is left of a service is given up, once it was told to stop.
    pub(super) fn time_ends(&self, id: ServiceId) -> Option<Time> {
        self.service(id).stop_by.filter(|_| !self.is_itself_drained(id))
    }

    /// By when the program ends, once its stop was requested.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.stop.as_ref().map(|stop| stop.schedule.budget().deadline())
    }
}

//! What happens becomes an event, in one place and one after the other.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::clock::Clock;
use super::drain_stats::DrainStats;
use super::service_table::ServiceTable;
use super::thread::{MainChannels, Settings};
use crate::machine::{Event, Input, Jitter, Owner, Phase, Report, Signal, State};
use crate::report::Reporter;
use crate::session::{
    Count, GroupGrace, Inbox, Message, NewService, SessionFailure, Site, Supervisor, TICK, Watch, count,
    stop_watching_sessions,
};

/// While sessions are counted they are counted this often as long as they go, and ever less often when
/// nothing changes.
const RECOUNT_SOONEST: Duration = Duration::from_millis(1);
/// But at least this often: one that ended just when the count began may not have said so.
const RECOUNT_LATEST: Duration = Duration::from_millis(5);

/// While more sessions than this are left, the end of one is not worth a count.
const FEW: u64 = 2_048;

/// The control plane's state: the machine, and what it decides about.
pub(crate) struct EventLoop {
    pub(super) supervisor: &'static Supervisor,
    pub(super) clock: Clock,
    pub(super) state: State,
    pub(super) services: ServiceTable,
    pub(super) drain_stats: DrainStats,
    pub(super) watch: Watch,
    pub(super) reporter: Reporter,
    pub(super) ends: MainChannels,
    /// Who waits in `run()`.
    pub(super) in_run: Vec<oneshot::Sender<Report>>,
    /// The machine has said that it is over, and whether it must be so at once.
    pub(super) over: Option<Over>,
    data_plane_gone: bool,
    /// How many sessions the last count found.
    alive: u64,
    recount_after: Duration,
    /// How many groups of sessions the machine has heard of.
    known_groups: usize,
}

/// How it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The data plane may still drop what it holds.
    Finished,
    /// The process ends now.
    Forced,
}

impl EventLoop {
    pub(crate) fn new(
        supervisor: &'static Supervisor,
        settings: &Settings,
        reporter: Reporter,
        ends: MainChannels,
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
            ends,
            in_run: Vec::new(),
            over: None,
            data_plane_gone: false,
            alive: 0,
            recount_after: RECOUNT_SOONEST,
            known_groups: 0,
        }
    }

    /// Runs until the machine says that it is over. `next_signal` is asked for one at a time, and what it
    /// gives may be dropped before it is ready.
    pub(crate) async fn run(&mut self, mut next_signal: impl AsyncFnMut() -> Signal, inbox: &mut Inbox) -> Over {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            if let Some(over) = self.over {
                if self.state.watches_sessions() {
                    stop_watching_sessions();
                }
                return over;
            }
            let counts = self.state.watches_sessions();
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                signal = next_signal() => {
                    self.read_what_is_there(inbox);
                    self.happened(Input::Signal { signal, at: self.clock.now(), from_terminal: false });
                }
                Some(message) = inbox.messages.recv() => self.read(message),
                Some(failure) = inbox.failures.recv() => self.report_failure(failure),
                () = sleep_until(wake_at) => self.happened(Input::Wake),
                now = tick.tick() => {
                    self.supervisor.ask_for_turns();
                    self.watch.tick(self.supervisor, self.clock.began(), now);
                }
                () = self.supervisor.wait_for_change(), if counts => self.happened(Input::Wake),
            }
        }
    }

    /// Goes on reading what the data plane says while it is taken down, until it is gone or `limit`.
    pub(super) async fn await_runtime_shutdown(&mut self, inbox: &mut Inbox, limit: Duration) {
        let limit = sleep_until(Instant::now() + limit);
        tokio::pin!(limit);
        while !self.data_plane_gone {
            tokio::select! {
                Some(failure) = inbox.failures.recv() => self.report_failure(failure),
                Some(message) = inbox.messages.recv() => self.read(message),
                () = &mut limit => break,
            }
        }
        while let Ok(failure) = inbox.failures.try_recv() {
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

    /// Tells the machine, and does what it says. The sessions are counted first, so that it never
    /// judges by an old count.
    pub(super) fn happened(&mut self, event: Input) {
        self.supervisor.continue_waking();
        let counts = count(self.supervisor);
        self.introduce_groups(&counts);
        let alive = counts.iter().map(|count| count.alive).sum();
        self.recount_after =
            if alive == self.alive { (self.recount_after * 2).min(RECOUNT_LATEST) } else { RECOUNT_SOONEST };
        self.alive = alive;
        self.supervisor.listen_for_changes(self.state.watches_sessions() && alive <= FEW);
        let counts = counts.into_iter().map(|count| (count.scope.owner, count.alive)).collect();
        self.step(Input::SessionsCounted(counts));
        self.step(event);
        self.services.publish(&self.state);
    }

    /// The sessions were told just now, and may be gone soon.
    pub(super) fn recount_soon(&mut self) {
        self.recount_after = RECOUNT_SOONEST;
    }

    /// Groups come up on the data plane, in the order of their numbers.
    fn introduce_groups(&mut self, counts: &[Count]) {
        for Count { scope, .. } in counts {
            let (Owner::Group(number), Some(GroupGrace { grace, cancels })) = (scope.owner, scope.group_grace()) else {
                continue;
            };
            if number < self.known_groups {
                continue;
            }
            self.known_groups = number + 1;
            self.step(Input::GroupAdded { home: scope.home().owner, grace, cancels });
        }
    }

    fn step(&mut self, event: Input) {
        let now = self.clock.now();
        let actions = self.state.handle(now, event);
        for action in actions {
            self.perform(action);
        }
    }

    /// What was said before a signal came is heard before it: a `main` that has just asked for its
    /// lifecycle must not be dropped like one that never did. What comes meanwhile must wait, or a
    /// flood of it would keep the signal out.
    fn read_what_is_there(&mut self, inbox: &mut Inbox) {
        for _ in 0..inbox.messages.len() {
            if let Ok(message) = inbox.messages.try_recv() {
                self.read(message);
            }
        }
    }

    fn read(&mut self, message: Message) {
        match message {
            Message::Input(event) => self.happened(event),
            Message::Add(new) => self.add(new),
            Message::Run(done) => {
                if self.state.phase() >= Phase::TearingDown {
                    let report = self.report();
                    self.supervisor.run_off_control(move || drop(done.send(report)));
                    return;
                }
                self.in_run.push(done);
                self.happened(Input::RunCalled);
            }
            Message::Restart { id, before, asked_in } => {
                let run = self.state.services()[id.0].run;
                self.supervisor.run_off_control(move || {
                    let _ = asked_in.send(run);
                });
                self.happened(Input::RestartService { id, before });
            }
            Message::DataPlaneGone => self.data_plane_gone = true,
        }
    }

    fn add(&mut self, new: NewService) {
        let spec = new.spec.clone();
        if new.by_user {
            self.happened(Input::MainListens);
        }
        self.services.add(self.supervisor, self.state.number_for(&spec.name), new);
        self.happened(Input::ServiceAdded(spec));
    }

    fn report_failure(&self, SessionFailure { site, scope, reason }: SessionFailure) {
        let Site { name, module, function, .. } = *site;
        let location = site.location();
        let owner = (scope.owner != Owner::Root).then(|| scope.name.clone());
        let function = function();
        self.say(Event::SessionFailed { name, location, function, module, owner, reason }, false);
    }
}

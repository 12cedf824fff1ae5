//! What the outside world sees of the program: process managers, probes, and what holds threads.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::mpsc;

use super::clock::Clock;
use super::event_loop::EventLoop;
#[cfg(all(unix, feature = "handover"))]
use super::hand_over::HandOvers;
use super::held_workers::Workers;
use super::outside::Outside;
#[cfg(feature = "metrics")]
use super::recording::Recording;
use crate::health::{Question, Server};
use crate::machine::{
    AcceptStalls, BlockedThreads, Event, Feed, Heartbeat, HeldThread, NotifyPlan, Time, notify_status,
};
use crate::notify::Notifier;
use crate::report::Rounded;
use crate::session::{Held, Kind, Supervisor, TICK, name_of};

/// How often the data plane is asked whether it turns, unless a watchdog or a short stall needs it more often.
const BEAT_EVERY: Duration = Duration::from_secs(1);

const BEATS_PER_STALL: u32 = 4;

/// The control plane's part of it.
#[derive(Debug)]
pub(super) struct Operations {
    /// Only where a probe or a watchdog asks for it.
    pub(super) pulse: Option<Pulse>,
    /// After how long a data plane that does not turn is reported, and after how long `/livez` fails.
    reported_after: Duration,
    pub(super) stall: Duration,
    /// Since when the data plane is reported as stalled.
    stalled: Option<Time>,
    /// Since when listeners do not accept.
    pub(super) accept_stalls: AcceptStalls,
    pub(super) blocked: BlockedThreads,
    pub(super) workers: Workers,
    /// Events are said by shared reference.
    notifying: RefCell<Notifying>,
    questions: Option<mpsc::Receiver<Question>>,
    /// Records the program's numbers.
    #[cfg(feature = "metrics")]
    pub(super) recording: Option<Recording>,
    /// Whether these pages, which have names in them, may be asked for.
    pub(super) status: bool,
    pub(super) metrics: bool,
    #[cfg(all(unix, feature = "handover"))]
    pub(super) hand_overs: Option<HandOvers>,
}

#[derive(Debug)]
struct Notifying {
    notifier: Notifier,
    plan: NotifyPlan,
    has_started: bool,
}

impl Operations {
    /// Nobody looks.
    pub(super) fn unseen() -> Self {
        Self {
            pulse: None,
            reported_after: Duration::MAX,
            stall: Duration::MAX,
            stalled: None,
            accept_stalls: AcceptStalls::new(Time::default()),
            blocked: BlockedThreads::new(None),
            workers: Workers::new(None),
            notifying: RefCell::new(Notifying {
                notifier: Notifier::default(),
                plan: NotifyPlan::new(None),
                has_started: false,
            }),
            questions: None,
            #[cfg(feature = "metrics")]
            recording: None,
            status: false,
            metrics: false,
            #[cfg(all(unix, feature = "handover"))]
            hand_overs: None,
        }
    }

    fn start(outside: Outside, clock: Clock, supervisor: &'static Supervisor) -> io::Result<Self> {
        #[cfg(all(unix, feature = "handover"))]
        let start = |setup| HandOvers::start(setup, supervisor);
        #[cfg(all(unix, feature = "handover"))]
        let hand_overs = outside.hand_over.map(start).transpose()?;
        let _ = supervisor;
        let Outside { health, notifier, stall, blocked, status, metrics, .. } = outside;
        #[cfg(all(target_os = "linux", feature = "fd_store"))]
        crate::listen::use_store(notifier.has_manager());
        let plan = NotifyPlan::new(notifier.watchdog());
        // A data plane that turns is at most one beat old: a stall must be several.
        let beat_every = plan.beat_every().unwrap_or(BEAT_EVERY).min(BEAT_EVERY).min(stall / BEATS_PER_STALL);
        let is_looked_at = health.is_some() || notifier.watchdog().is_some();
        Ok(Self {
            pulse: is_looked_at.then(|| Pulse::new(clock, beat_every)),
            // One tick before, so that the report comes first.
            reported_after: notifier.watchdog().map_or(stall, |limit| stall.min(limit / 2)).saturating_sub(TICK),
            stall,
            stalled: None,
            accept_stalls: AcceptStalls::new(clock.now()),
            blocked: BlockedThreads::new(blocked),
            workers: Workers::new(blocked),
            notifying: RefCell::new(Notifying { notifier, plan, has_started: false }),
            questions: health.map(Server::start).transpose()?,
            #[cfg(feature = "metrics")]
            recording: None,
            status,
            metrics,
            #[cfg(all(unix, feature = "handover"))]
            hand_overs,
        })
    }

    /// For how long the program has made no progress: its data plane may not have turned, or a listener has not
    /// accepted what waits for it. Zero where nobody looks.
    pub(super) fn stalled_for(&self, now: Time) -> Duration {
        let Some(pulse) = &self.pulse else { return Duration::ZERO };
        pulse.heartbeat.age(now).max(self.accept_stalls.age(now))
    }

    /// Whom the process manager is notified by.
    #[cfg(all(unix, any(feature = "fd_store", feature = "handover")))]
    pub(super) fn notifier(&self) -> std::cell::RefMut<'_, Notifier> {
        std::cell::RefMut::map(self.notifying.borrow_mut(), |notifying| &mut notifying.notifier)
    }

    /// The next question of a probe. Cancel safe.
    pub(super) async fn next_question(&mut self) -> Question {
        match self.question_while_served().await {
            Some(question) => question,
            None => std::future::pending().await,
        }
    }

    /// The same, or none if probes are not answered, or not by this program any more.
    pub(super) async fn question_while_served(&mut self) -> Option<Question> {
        self.questions.as_mut()?.recv().await
    }
}

/// The data plane's heartbeat, and how it is felt.
#[derive(Debug)]
pub(super) struct Pulse {
    pub(super) heartbeat: Heartbeat,
    clock: Clock,
    /// When the data plane last turned, in nanoseconds of the clock.
    turned: Arc<AtomicU64>,
}

impl Pulse {
    fn new(clock: Clock, every: Duration) -> Self {
        Self { heartbeat: Heartbeat::new(clock.now(), every), clock, turned: Arc::default() }
    }

    /// Feels it, and asks for the next beat if one is due.
    fn look(&mut self, data_plane: Option<&runtime::Handle>) {
        let now = self.clock.now();
        // Relaxed: the number is all there is to it.
        let turned = Duration::from_nanos(self.turned.load(Ordering::Relaxed));
        self.heartbeat.turned(Time::after_start(turned));
        let Some(data_plane) = data_plane else {
            // It is about to be built.
            self.heartbeat.turned(now);
            return;
        };
        if self.heartbeat.look(now, TICK) {
            let (clock, turned) = (self.clock, Arc::clone(&self.turned));
            drop(data_plane.spawn(async move {
                let now = clock.now().since_start().as_nanos();
                turned.fetch_max(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
            }));
        }
    }
}

impl EventLoop {
    /// From now on the program is seen from outside. It needs the control plane's runtime.
    ///
    /// # Errors
    ///
    /// If that does not take the health endpoint's socket.
    pub(super) fn show(&mut self, outside: Outside) -> io::Result<()> {
        self.operations = Operations::start(outside, self.clock, self.supervisor)?;
        #[cfg(feature = "metrics")]
        {
            self.operations.recording = Some(Recording::start(self.supervisor, self.reporter.thread()));
        }
        #[cfg(all(unix, feature = "handover"))]
        if let Some(hand_overs) = &self.operations.hand_overs {
            self.state.set_hand_over(hand_overs.for_machine());
        }
        Ok(())
    }

    /// Looks at the data plane's heartbeat and at held threads, as it does once a tick.
    pub(super) fn look_around(&mut self) {
        let now = self.clock.now();
        let held = self.held_threads();
        if let Some(pulse) = &mut self.operations.pulse {
            pulse.look(self.supervisor.data_plane().as_deref());
            // A data plane that is busy begins polls. It may take a while to come to its beat.
            held.iter().for_each(|held| pulse.heartbeat.turned(held.since));
        }
        for event in self.operations.blocked.look(now, &held) {
            self.emit(event, false);
        }
        self.look_at_workers(now);
        self.judge_stall(now, &held);
        self.look_at_queues(now);
        self.note_start();
        self.publish_numbers();
        #[cfg(feature = "metrics")]
        if let Some(recording) = &mut self.operations.recording {
            recording.look(now);
        }
    }

    /// In a test there is one thread, which this very code holds.
    fn look_at_workers(&mut self, now: Time) {
        if self.guard.is_some()
            && let Some(data_plane) = self.supervisor.data_plane()
            && let Some(event) = self.operations.workers.look(now, &data_plane)
        {
            self.emit(event, false);
        }
    }

    /// Every thread of the data plane that is held, and by what.
    fn held_threads(&self) -> Vec<HeldThread> {
        let held = self.watch.held().into_iter();
        held.map(|Held { thread, poll, kind, site, scope, since }| {
            let home = scope.home();
            let place = if kind == Kind::Session { site.location() } else { home.location };
            HeldThread { thread, poll, what: name_of(kind, site.name, home), place, since: self.clock.time(since) }
        })
        .collect()
    }

    /// Reports that the data plane does not turn before anybody acts on it, and feeds the watchdog while it
    /// does not.
    fn judge_stall(&mut self, now: Time, held: &[HeldThread]) {
        let Some(pulse) = &self.operations.pulse else { return };
        let age = pulse.heartbeat.age(now);
        let feed = self.operations.notifying.get_mut().plan.feed(now, age);
        let is_stalled = age >= self.operations.reported_after || feed == Feed::Withheld;
        match self.operations.stalled {
            None if is_stalled => {
                self.operations.stalled = Some(now - age);
                let event = Event::Stalled { since: age, blocking: blocking(now, held) };
                self.notify(notify_status(&event));
                self.emit(event, false);
            }
            Some(since) if !is_stalled && age < self.operations.reported_after / 2 => {
                self.operations.stalled = None;
                let event = Event::Recovered { after: now.since(since) };
                self.notify(notify_status(&event));
                self.emit(event, false);
            }
            _ => {}
        }
        if matches!(feed, Feed::Now | Feed::Again) {
            self.notify("WATCHDOG=1".to_owned());
        } else if let Err(error) = self.operations.notifying.get_mut().notifier.flush() {
            self.report_notify_failure(error);
        }
    }

    /// Notifies of readiness as soon as there is some.
    pub(super) fn note_start(&mut self) {
        let notifying = self.operations.notifying.get_mut();
        if notifying.has_started {
            return;
        }
        notifying.has_started = self.state.has_started();
        let message = notifying.plan.start(
            self.clock.now(),
            self.state.has_started(),
            self.state.services().len(),
            self.state.start_ends(),
        );
        if notifying.has_started && !self.state.phase().is_stopping() {
            notifying.notifier.ready();
        }
        if let Some(message) = message {
            self.notify(message);
        }
    }

    /// Notifies of an event, if it is worth that.
    pub(super) fn notify_of(&self, event: &Event) {
        if matches!(event, Event::Waiting { .. }) {
            self.supervisor.numbers().waiting = Some(event.to_string());
        }
        let message = self.operations.notifying.borrow_mut().plan.event(event);
        if let Some(message) = message {
            self.notify(message);
        }
    }

    pub(super) fn notify(&self, message: String) {
        let sent = self.operations.notifying.borrow_mut().notifier.send(message);
        if let Err(error) = sent {
            self.report_notify_failure(error);
        }
    }

    pub(super) fn report_notify_failure(&self, error: String) {
        self.emit(Event::NotifyFailed { error }, false);
    }
}

/// What blocks threads, site by site.
fn blocking(now: Time, held: &[HeldThread]) -> Vec<String> {
    let mut sites: Vec<(&HeldThread, u32)> = Vec::new();
    for held in held.iter().filter(|held| held.since < now) {
        match sites.iter_mut().find(|(first, _)| (&first.what, first.place) == (&held.what, held.place)) {
            Some((first, count)) => {
                *count += 1;
                if held.since < first.since {
                    *first = held;
                }
            }
            None => sites.push((held, 1)),
        }
    }
    let text = |(HeldThread { what, place, since, .. }, count): (&HeldThread, u32)| {
        let threads = if count == 1 { "a thread".to_owned() } else { format!("{count} threads") };
        format!("{what} ({place}) blocks {threads} for {}", Rounded(now.since(*since)))
    };
    sites.into_iter().map(text).collect()
}

//! What the outside world sees of the program: the health endpoint, the process manager, the heartbeat.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::mpsc;

use super::clock::Clock;
#[cfg(all(unix, feature = "handover"))]
use super::hand_over::HandOvers;
use super::held_workers::Workers;
use super::outside::Outside;
#[cfg(feature = "metrics")]
use super::recording::Recording;
use crate::health::{Question, Server};
use crate::machine::{AcceptStalls, BlockedThreads, Heartbeat, NotifyPlan, Time};
use crate::notify::Notifier;
use crate::session::{Supervisor, TICK};

/// How often the data plane is asked whether it turns, unless a watchdog or a short stall needs it more often.
const BEAT_EVERY: Duration = Duration::from_secs(1);

const BEATS_PER_STALL: u32 = 4;

/// The control plane's part of it.
#[derive(Debug)]
pub(super) struct Operations {
    /// Only where a probe or a watchdog asks for it.
    pub(super) pulse: Option<Pulse>,
    /// After how long a data plane that does not turn is reported, and after how long `/livez` fails.
    pub(super) reported_after: Duration,
    pub(super) stall: Duration,
    /// Since when the data plane is reported as stalled.
    pub(super) stalled: Option<Time>,
    /// The length of a tick while the data plane is quiet.
    pub(super) quiet_tick: Duration,
    /// Since when listeners do not accept.
    pub(super) accept_stalls: AcceptStalls,
    pub(super) blocked: BlockedThreads,
    pub(super) workers: Workers,
    /// Events are said by shared reference.
    pub(super) notifying: RefCell<Notifying>,
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
pub(super) struct Notifying {
    pub(super) notifier: Notifier,
    pub(super) plan: NotifyPlan,
    pub(super) has_started: bool,
}

impl Operations {
    /// Operations of a test: nothing is watched, served or notified.
    pub(super) fn unseen() -> Self {
        Self {
            pulse: None,
            reported_after: Duration::MAX,
            stall: Duration::MAX,
            stalled: None,
            quiet_tick: BEAT_EVERY,
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

    pub(super) fn start(outside: Outside, clock: Clock, supervisor: &'static Supervisor) -> io::Result<Self> {
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
            quiet_tick: beat_every.max(TICK),
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
    /// accepted what waits for it. Zero if progress is not watched.
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
    pub(super) fn look(&mut self, data_plane: Option<&runtime::Handle>, tick: Duration) {
        let now = self.clock.now();
        // Relaxed: the number is all there is to it.
        let turned = Duration::from_nanos(self.turned.load(Ordering::Relaxed));
        self.heartbeat.turned(Time::after_start(turned));
        let Some(data_plane) = data_plane else {
            // It is about to be built.
            self.heartbeat.turned(now);
            return;
        };
        if self.heartbeat.look(now, tick) {
            let (clock, turned) = (self.clock, Arc::clone(&self.turned));
            drop(data_plane.spawn(async move {
                let now = clock.now().since_start().as_nanos();
                turned.fetch_max(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
            }));
        }
    }
}

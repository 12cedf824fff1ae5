//! What must never be, judged from outside.
//!
//! The oracle hears every event and sees every action. What it knows of the machine besides is what
//! the shell may read: its phase, when it wants to be woken, the exit and how services stand.
//! It keeps its own books, and it decides nothing: it only says which law was broken.

mod graph;
mod hand_over;
mod hear;
mod judge;
mod over;
mod readiness;
mod seen;
mod sessions;
mod settled;
mod stop;
mod tell;

use std::fmt;
use std::time::Duration;

use self::hand_over::HandOverBook;
pub(in crate::machine::tests) use self::seen::Seen;
use self::seen::{Group, Main, Sessions, Stop};
use crate::machine::budget::Allowance;
use crate::machine::exit::Exit;
use crate::machine::id::ServiceId;
use crate::machine::input::{ExitReason, Input};
use crate::machine::phase::Phase;
use crate::machine::time::Time;

/// What was heard and seen so far.
#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct Oracle {
    allowance: Allowance,
    services: Vec<Seen>,
    /// Whom each service said that it comes after, as far as the plan is known.
    after: Vec<Vec<usize>>,
    /// Whom each service needs.
    needs: Vec<Vec<usize>>,
    /// Whom each stops before.
    stops_before: Vec<Vec<usize>>,
    /// Whose restart restarts it.
    bound_to: Vec<Vec<usize>>,
    main: Main,
    edge: Sessions,
    groups: Vec<Group>,
    edge_told: Option<Time>,
    running: bool,
    stop: Option<Stop>,
    last_signal: Option<Time>,
    given_back: Duration,
    watching: bool,
    phase: Phase,
    wake_at: Option<Time>,
    /// The machine was woken later than it asked to be: it owes no time to anybody any more.
    woken_late: bool,
    exit: Exit,
    over: bool,
    /// Everything was ready once.
    started: bool,
    /// The holds of readiness.
    held: Vec<u64>,
    /// The flush hooks that have not ended, and whether values are kept.
    hooks: u64,
    keeps: bool,
    flushing: bool,
    /// How much of the grace they have.
    reserve: Duration,
    hand_over: HandOverBook,
    call: Call,
}

/// What the call that is being judged was about.
#[derive(Clone, Debug, Default)]
struct Call {
    now: Time,
    /// A stop must have been requested when it returns.
    must_stop: bool,
    /// It must be over when it returns.
    must_force: bool,
    /// It must do nothing at all.
    stale: bool,
    /// The life that ended, whose end must be told.
    ended: Option<(usize, ExitReason)>,
    /// The service that became ready, which must be told.
    ready: Option<usize>,
    /// The service that the last action concerns.
    subject: Option<usize>,
    /// The service that was added, and what the one named that had its id before.
    added: Option<usize>,
    named_before: (Vec<usize>, Vec<usize>),
    /// Why it should have had another id.
    wrong_id: Option<String>,
    /// The plan is made.
    plans: bool,
    main_failed: bool,
    flush_failed: bool,
    signal: bool,
    /// When the signal of this call was delivered.
    delivered: Option<Time>,
    from_terminal: bool,
    /// The service whose state panicked, which must be reported.
    state_panicked: Option<usize>,
    /// The service whose `ready()` has no effect, which must be reported.
    ready_ignored: Option<usize>,
    /// Frozen time was given back.
    gave_back: bool,
}

/// Which law was broken, and how.
pub(in crate::machine::tests) struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says which law is broken unless the condition holds.
macro_rules! law {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err($crate::machine::tests::oracle::Broken(format!($($message)+)));
        }
    };
}
use law;

impl Oracle {
    pub(in crate::machine::tests) fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            services: Vec::new(),
            after: Vec::new(),
            needs: Vec::new(),
            stops_before: Vec::new(),
            bound_to: Vec::new(),
            main: Main::default(),
            edge: Sessions::default(),
            groups: Vec::new(),
            edge_told: None,
            running: false,
            stop: None,
            last_signal: None,
            given_back: Duration::ZERO,
            watching: false,
            phase: Phase::SettingUp,
            wake_at: None,
            woken_late: false,
            exit: Exit::Clean,
            over: false,
            started: false,
            held: Vec::new(),
            hooks: 0,
            keeps: false,
            flushing: false,
            reserve: Duration::ZERO,
            hand_over: HandOverBook::default(),
            call: Call::default(),
        }
    }

    /// Notes what happens. The actions that follow from it are judged next.
    ///
    /// `id` is the one that a service gets which is added.
    pub(in crate::machine::tests) fn hear(&mut self, now: Time, event: &Input, id: Option<ServiceId>) {
        self.call = Call { now, ..Call::default() };
        let is_late = self.wake_at.is_some_and(|wake_at| now > wake_at);
        self.woken_late |= is_late || matches!(event, Input::Signal { at, .. } if *at < now);
        if !self.over {
            self.note(event, id);
        }
    }
}

/// What whoever plays the shell needs to know.
impl Oracle {
    pub(in crate::machine::tests) fn is_over(&self) -> bool {
        self.over
    }

    pub(in crate::machine::tests) fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    pub(in crate::machine::tests) fn had_signal(&self) -> bool {
        self.last_signal.is_some()
    }

    pub(in crate::machine::tests) fn main(&self) -> &Main {
        &self.main
    }

    pub(in crate::machine::tests) fn services(&self) -> &[Seen] {
        &self.services
    }

    pub(in crate::machine::tests) fn root(&self) -> &Sessions {
        &self.edge
    }

    pub(in crate::machine::tests) fn groups(&self) -> &[Group] {
        &self.groups
    }
}

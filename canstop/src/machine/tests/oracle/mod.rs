//! The laws of the machine, judged from outside.
//!
//! The oracle gets every input and every action. Of the machine it reads only what the control plane may
//! read as well: the phase, the next wake, the exit and the stage of each service. It keeps its own record of
//! what happened and never decides: it only reports which law was broken.

mod events;
mod graph;
mod hand_over;
mod inputs;
mod judge;
mod over;
mod readiness;
mod seen;
mod sessions;
mod settled;
mod stop;

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

/// The inputs and actions so far.
#[derive(Clone, Debug)]
pub(in crate::machine::tests) struct Oracle {
    allowance: Allowance,
    services: Vec<Seen>,
    /// The services that each names in `after`, as far as the plan is known.
    after: Vec<Vec<usize>>,
    /// The services that each needs.
    needs: Vec<Vec<usize>>,
    /// The services that each stops before.
    stops_before: Vec<Vec<usize>>,
    /// The services whose restart restarts each.
    bound_to: Vec<Vec<usize>>,
    main: Main,
    root: Sessions,
    groups: Vec<Group>,
    /// Until when the root has time, once it is signalled.
    root_stop_by: Option<Time>,
    running: bool,
    stop: Option<Stop>,
    last_signal: Option<Time>,
    given_back: Duration,
    watching: bool,
    phase: Phase,
    wake_at: Option<Time>,
    /// The machine was woken later than it asked to be, so reserved time may be shorter.
    woken_late: bool,
    exit: Exit,
    over: bool,
    /// All services were ready at some time.
    started: bool,
    /// The holds on readiness.
    held: Vec<u64>,
    /// The number of flush hooks that have not ended, and whether values are kept.
    hooks: u64,
    keeps: bool,
    flushing: bool,
    /// The part of the grace that hooks and kept values have.
    reserve: Duration,
    hand_over: HandOverBook,
    call: Call,
}

/// The call that is being judged, and what it obliges the machine to do.
#[derive(Clone, Debug, Default)]
struct Call {
    now: Time,
    /// A stop must have been requested when the call returns.
    must_stop: bool,
    /// The exit must be forced when the call returns.
    must_force: bool,
    /// The call must have no effect.
    stale: bool,
    /// The service whose run ended, which must be reported.
    ended: Option<(usize, ExitReason)>,
    /// The service that became ready, which must be reported.
    ready: Option<usize>,
    /// The service of the last action.
    subject: Option<usize>,
    /// The service that was added, and the services that the previous holder of its id named.
    added: Option<usize>,
    named_before: (Vec<usize>, Vec<usize>),
    /// Why the added service should have another id.
    wrong_id: Option<String>,
    /// The plan is made in this call.
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

/// A broken law.
pub(in crate::machine::tests) struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns [`Broken`] with this message unless the condition holds.
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
            root: Sessions::default(),
            groups: Vec::new(),
            root_stop_by: None,
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

    /// Notes an input. Its actions are judged next.
    ///
    /// `id` is the id that an added service gets.
    pub(in crate::machine::tests) fn observe(&mut self, now: Time, event: &Input, id: Option<ServiceId>) {
        self.call = Call { now, ..Call::default() };
        let is_late = self.wake_at.is_some_and(|wake_at| now > wake_at);
        self.woken_late |= is_late || matches!(event, Input::Signal { at, .. } if *at < now);
        if !self.over {
            self.note(event, id);
        }
    }
}

/// What the drivers of the tests read.
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
        &self.root
    }

    pub(in crate::machine::tests) fn groups(&self) -> &[Group] {
        &self.groups
    }
}

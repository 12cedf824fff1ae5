//! A stop at a certain poll of a test's services and sessions.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ptr;
use std::rc::Rc;

use crate::machine::Input;
use crate::session::{HookedPolls, Kind, Message, PolledCode, Supervisor, hook_polls, name_of};

/// What is injected after a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Injection {
    /// A stop request.
    Stop,
    /// A stop request, if there was none, and the end of the grace.
    Abandon,
}

impl Injection {
    /// The variable that runs one poll alone.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Self::Stop => "CANSTOP_STOP_AT",
            Self::Abandon => "CANSTOP_ABANDON_AT",
        }
    }

    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Stop => "stopped",
            Self::Abandon => "abandoned",
        }
    }

    /// Everything that it causes comes before the next poll of a service or a session.
    fn inject(self, supervisor: &'static Supervisor, poll: u64) {
        let reason = format!("the test is {} after poll {poll}", self.done());
        supervisor.event(Input::ShutdownRequested { reason });
        if self == Self::Abandon {
            supervisor.send(Message::EndGrace);
        }
    }
}

/// The polls of one run. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Polls {
    injection: Injection,
    /// The poll after which it is injected, if it is. The first poll is 1.
    after: Option<u64>,
    seen: Rc<RefCell<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    polls: u64,
    /// How often each service was polled, and the sessions of each site.
    by_name: HashMap<*const u8, u64>,
    /// What was polled when the stop was injected.
    at: Option<String>,
}

impl Polls {
    pub(super) fn new(injection: Injection, after: Option<u64>) -> Self {
        Self { injection, after, seen: Rc::default() }
    }

    /// The run is to be abandoned: work that is left behind is no fault.
    pub(super) fn abandons(&self) -> bool {
        self.injection == Injection::Abandon && self.after.is_some()
    }

    /// How many polls there were.
    pub(super) fn count(&self) -> u64 {
        self.seen.borrow().polls
    }

    /// What was polled when the stop was injected. `None` if the run was over before.
    pub(super) fn injected_at(&self) -> Option<String> {
        self.seen.borrow().at.clone()
    }

    /// Counts the polls of this thread, until the guard is dropped.
    pub(super) fn observe(&self, supervisor: &'static Supervisor) -> HookedPolls {
        let Self { injection, after, seen } = self.clone();
        hook_polls(move |polled| {
            let may_stop = injection == Injection::Abandon || supervisor.program_deadline().is_none();
            if !matches!(polled.kind, Kind::Service | Kind::Session) || !may_stop {
                return;
            }
            let mut seen = seen.borrow_mut();
            seen.polls += 1;
            let key = if polled.kind == Kind::Service {
                ptr::from_ref(polled.home).cast()
            } else {
                ptr::from_ref(polled.site).cast()
            };
            let times = seen.by_name.entry(key).or_default();
            *times += 1;
            let times = *times;
            if after == Some(seen.polls) {
                seen.at = Some(format!("poll {times} of {}", described(&polled)));
                injection.inject(supervisor, seen.polls);
            }
        })
    }
}

/// The name and the place of a service or a session.
pub(super) fn described(polled: &PolledCode) -> String {
    let PolledCode { kind, site, home } = *polled;
    let place = if kind == Kind::Service { home.location } else { site.location() };
    format!("{} ({place})", name_of(kind, site.name, home))
}

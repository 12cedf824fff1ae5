//! The pure machine: every decision, and nothing else.
//!
//! Architecture invariant: no clock, no I/O, no async, no locks, and no other module of this crate.

mod time;
mod id;
mod location;
mod cause;
mod exit;
mod phase;
mod stage;
mod budget;
mod source;
mod backoff;
mod restart;
mod spec;
mod cycles;
mod names;
mod stop_order;
mod plan;
mod schedule;
mod facts;
mod service;
mod timer;
mod index;
mod handover;
mod input;
mod report;
mod event;
mod action;
mod closing;
mod readiness_memory;
mod state;
mod tracking;
mod numbering;
mod supervise;
mod requests;
mod ended;
mod stop;
mod steps;
mod signalling;
mod abandon;
mod flush;
mod status;
mod stop_course;
mod lateness;
mod heartbeat;
mod accept_queue;
mod readiness;
mod handing_over;
mod notify;
mod blocked;
#[cfg(test)]
mod tests;

pub use cause::{Cause, LimitExceeded, Signal};
pub use event::Event;
pub use exit::Exit;
pub use input::ExitReason;
pub use location::Location;
pub use report::{Activity, Report, ServiceReport, Straggler, StragglerKind};
pub use restart::Restart;
pub use source::{Platform, SettingSource};
pub use spec::{Ready, Start};
pub use stage::ServiceOutcome;
pub use status::ServiceState;

pub(crate) use accept_queue::{AcceptQueue, AcceptStalls};
pub(crate) use action::{Abandoned, Action};
pub(crate) use backoff::{Backoff, Jitter};
pub(crate) use blocked::{BlockedThreads, HeldThread, HeldWorkers};
pub(crate) use budget::Allowance;
#[cfg(all(unix, feature = "handover"))]
pub(crate) use handover::{HandOver, HandOverAction, HandOverInput};
pub(crate) use heartbeat::Heartbeat;
pub(crate) use id::{Owner, RunId, ServiceId};
pub(crate) use input::Input;
#[cfg(all(unix, feature = "handover"))]
pub(crate) use notify::handed_over;
pub(crate) use notify::{Feed, NotifyPlan, status as notify_status};
pub(crate) use phase::Phase;
pub(crate) use readiness::{Answer, Probe, Unready, judge};
pub(crate) use requests::Wait;
pub(crate) use restart::Limit;
pub(crate) use source::StopSources;
pub(crate) use spec::{Parent, Reference, ServiceSpec};
pub(crate) use stage::Stage;
pub(crate) use state::State;
pub(crate) use stop_course::StopStep;
pub(crate) use time::Time;

//! The hot path: what a session costs, and how it is found again.
//!
//! A session is a wrapper around the user's future, in the same allocation. It is counted where it
//! is spawned and where it ends ([`counter`]), entered in a table when it first has to wait
//! ([`waiting`]), and each thread says what it polls ([`thread`]). From these three the drain is
//! decided and the stragglers are named ([`survey`]).
//!
//! Architecture invariant: nothing here takes a lock on the way of a session that never waits, and
//! nothing here decides.

mod static_ref;
mod data_plane;
mod site;
mod supervisor;
mod scope_pool;
mod scope;
mod thread;
mod atomics;
mod tally;
mod counter;
mod origin;
mod slots;
mod handshake;
mod leaving;
mod session_state;
mod waiting;
mod membership;
mod tracked;
mod blocking;
mod body;
mod output;
mod stop;
mod spawn;
mod panics;
mod off_control;
mod starts;
mod snapshot;
#[cfg(test)]
mod tests;

pub use output::{BlockingOutputProbe, NotAResult, OutputProbe, observe};
pub use site::{Site, function_of};
pub use spawn::Session;

pub(crate) use body::Body;
pub(crate) use counter::Kind;
pub(crate) use data_plane::EnteredRuntime;
pub(crate) use leaving::{stop_watching_sessions, watch_sessions};
pub(crate) use panics::reason_of_dropped;
pub(crate) use scope::{EnteredScope, Scope, current_scope, expect_scope};
pub(crate) use snapshot::{Count, SessionGroup, TICK, Watch, body_blocks_since, count, snapshot_sessions};
pub(crate) use supervisor::{Factory, Inbox, Known, Message, NewService, ServiceSnapshot, SessionFailure, Supervisor};
pub(crate) use thread::is_polled_directly;

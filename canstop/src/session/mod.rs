//! The hot path: what a session costs, and how it is found again.
//!
//! # The protocol of a session
//!
//! A session is a wrapper around the user's future, in the same allocation ([`tracked`]). It passes through
//! these states, of which one word beside the future ([`session_state`]) tells the second and third apart:
//!
//! | state | the word | begins |
//! |---|---|---|
//! | spawned | counter and spawn tick | [`tally`]'s `started` is counted by the thread that spawns |
//! | fresh | the same | its first poll begins |
//! | entered | its slot | a poll returns pending for the first time: it enters the table of those that wait |
//! | over | none | its future is dropped; it leaves the table, then `finished` is counted |
//!
//! **Who writes what.** A [`tally`], the stack of free slots and the words that say what a thread polls are
//! written by their own thread only, by plain stores. A slot is written by the session that holds it. Words
//! that others write are read by sessions, never written: whether they are watched, whether their scope's
//! stop was requested, whether it is abandoned. So the way of a session that never waits takes no lock and
//! shares no written cache line.
//!
//! **Orderings**, each of which `tests/loom.rs` weakens in turn until a model fails:
//!
//! - `finished` is stored with release and loaded with acquire, so that a sum of all `finished`, followed
//!   by a sum of all `started`, proves that nothing was alive when both are equal: see [`tally`].
//! - A slot's task is stored with release after its origin, and loaded with acquire: what finds a task finds
//!   where it comes from.
//! - A slot holds its task without a reference count. A session that is not watched leaves by a plain
//!   store; one that is watched leaves under the gate that a wake holds. The change from one to the
//!   other is the [`handshake`], with `membarrier(2)` on the watcher's side, so that the session's side
//!   costs nothing.
//! - A stop request stores its flag, then a full fence, then scans the table. A session enters the table,
//!   and if it is watched by then, a full fence, then it looks at the flag again. One of the two sees the
//!   other, so none sleeps through the stop.
//! - Ages and what threads poll are for reports: relaxed, and compared over two looks, a tick apart.
//!
//! **The end.** The future and all that it captured, or the closure and its captures, are dropped before the
//! membership. What a session returns belongs to its `JoinHandle`, and is dropped with that.
//!
//! Architecture invariant: nothing here takes a lock on the way of a session that never waits, and
//! nothing here decides.

mod static_ref;
mod data_plane;
mod site;
mod forked;
mod supervisor;
mod notices;
mod scope_pool;
mod scope;
#[cfg(feature = "testing")]
mod poll_hook;
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
mod or_task;
mod panics;
mod off_control;
mod kept;
mod event_streams;
mod snapshot_cell;
mod starts;
mod snapshot;
mod held;
mod flush;
mod split;
mod label;
#[cfg(feature = "http")]
pub(crate) mod requests;
mod named;
mod numbers;
#[cfg(test)]
mod tests;

pub use or_task::SessionOrTask;
pub use output::{BlockingOutputProbe, NotAResult, OutputObserver, OutputProbe, observe};
pub use site::{Site, function_of};
pub use spawn::Session;

pub(crate) use body::Body;
pub(crate) use counter::Kind;
pub(crate) use data_plane::EnteredRuntime;
pub(crate) use event_streams::EventReader;
pub(crate) use held::{Held, name_of, occupied_workers};
pub(crate) use leaving::{stop_watching_sessions, watch_sessions};
pub(crate) use named::{requests_by_route, slowest_request, snapshot_sessions};
pub(crate) use numbers::Numbers;
pub(crate) use panics::reason_of_dropped;
#[cfg(feature = "testing")]
pub(crate) use poll_hook::{HookedPolls, Polled, hook_polls};
pub(crate) use scope::{EnteredScope, GroupGrace, Scope, current_scope, expect_scope};
#[cfg(feature = "http")]
pub(crate) use site::site_of;
pub(crate) use snapshot::{Count, SessionGroup, TICK, Watch, body_blocks_since, count};
pub(crate) use snapshot_cell::{SnapshotReceiver, SnapshotSender};
#[cfg(all(unix, feature = "handover"))]
pub(crate) use supervisor::HandOverAnswer;
pub(crate) use supervisor::{Factory, Inbox, Known, Message, NewService, ServiceSnapshot, SessionFailure, Supervisor};
pub(crate) use thread::is_polled_directly;

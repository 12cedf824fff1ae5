//! The hot path: what a session costs, and how it is counted, woken, found and named.
//!
//! # The protocol of a session
//!
//! A session is a wrapper around the user's future, in the same allocation ([`tracked`]). Beside the future it has
//! one word ([`slots::SessionState`]). It passes through these states:
//!
//! | state | its word | begins |
//! |---|---|---|
//! | spawned | counter and spawn tick | the thread that spawns it counts it as started ([`tally`]) |
//! | fresh | the same | with its first poll |
//! | entered | its slot | when a poll first returns pending: it enters the [`table`] of waiting sessions |
//! | over | none | when its future is dropped: it leaves the table, and is then counted as finished |
//!
//! **Writers.** Only a thread itself writes its tallies, its stack of free slots, and the words that publish what it
//! polls; it does so by plain stores. A session writes the slot that it holds. Words that others write are read by
//! sessions, never written: whether they are watched, whether their scope's stop was requested, whether it is
//! abandoned. So a session that never waits takes no lock and writes no shared cache line.
//!
//! **Orderings.** `tests/loom.rs` weakens each of those in [`tally`] and [`handshake`] in turn until a model fails.
//!
//! - `finished` is stored with release and loaded with acquire. A sum of all `finished`, followed by a sum of all
//!   `started`, then proves that there was a moment without sessions if both are equal: see [`tally`].
//! - A slot's counter is stored before its task, which is stored with release and loaded with acquire: a reader of
//!   the task also reads the counter.
//! - A slot holds its task without a reference count. A session that is not watched leaves by a plain store. One
//!   that is watched leaves under a lock that a wake holds, so its task is not freed meanwhile. The change from one
//!   to the other is the [`handshake`], with [`membarrier`] on the watcher's side, so that it costs sessions nothing.
//! - A stop request stores its flag, executes a full fence, and then scans the table. A session enters the table,
//!   executes a full fence if it is watched by then, and then reads the flag. At least one of the two reads what
//!   the other has written, so no session misses the stop.
//! - A counter is added to its scope, and the supervisor's version of the list is raised with release, before the
//!   first session in it starts. A count reads every `finished` first, and then the version with acquire: so it
//!   lists the counter of every session that was spawned by one that it has counted as finished.
//! - Ages, and what threads poll, are for reports: relaxed, and compared over two scans, a tick apart.
//!
//! **The end.** The future with all that it captured, or the closure with its captures, is dropped before the
//! session counts as finished. What it returns belongs to its `JoinHandle`. If that was dropped, the runtime drops the
//! output right after the poll that returned it. Where that runs a destructor, the thread publishes it until then
//! ([`thread::Thread::drop_output_next`]), and a drain waits for it.
//!
//! Architecture invariant: nothing here takes a lock for a session that never waits, and nothing here decides.

mod static_ref;
mod atomics;
mod task;
mod membarrier;
mod handshake;
mod tally;
mod tagged;
mod site;
mod starts;
mod data_plane;
mod off_control;
mod service_snapshot;
mod message;
mod forked;
mod numbers;
mod kept;
mod flush;
mod quiet;
mod returned_error;
mod hub;
mod scope;
mod slots;
#[cfg(feature = "testing")]
mod poll_hook;
mod thread;
mod table;
mod current;
mod output;
mod membership;
mod spans;
mod tracked;
mod event_streams;
mod scope_pool;
mod supervisor;
mod counting;
mod watch;
mod snapshot;
mod split;
mod label;
#[cfg(feature = "http")]
mod request_name;
#[cfg(feature = "http")]
pub(crate) mod request_phase;
#[cfg(feature = "http")]
pub(crate) mod requests;
mod named;
mod spawn;
mod placed;
#[cfg(test)]
mod tests;

pub use output::{
    BlockingOutputProbe, DebugResult, DisplayResult, ErrorResult, NotAResult, OutputObserver, OutputProbe,
    SilentResult, observe,
};
pub use placed::{OrTask, Place, PlacedSession};
pub use returned_error::ReturnedError;
pub use site::{Site, function_of};
pub use spawn::Session;

pub(crate) use counting::{Count, SessionCounter, count};
pub(crate) use current::{Body, EnteredScope, current_scope, expect_scope, inspect, reason_of_dropped};
pub(crate) use data_plane::EnteredRuntime;
pub(crate) use event_streams::EventReader;
pub(crate) use hub::Hub;
#[cfg(all(unix, feature = "handover"))]
pub(crate) use message::HandOverAnswer;
pub(crate) use message::{Factory, Inbox, Message, NewService, SessionFailure};
pub(crate) use named::{requests_by_route, slowest_request, snapshot_sessions};
pub(crate) use numbers::Numbers;
#[cfg(feature = "testing")]
pub(crate) use poll_hook::{HookedPolls, PolledCode, hook_polls};
pub(crate) use scope::{GroupGrace, Kind, Scope};
pub(crate) use service_snapshot::{ServiceSnapshot, SnapshotReceiver, SnapshotSender};
#[cfg(feature = "http")]
pub(crate) use site::site_of;
pub(crate) use snapshot::SessionGroup;
pub(crate) use spans::{in_current_span, in_service_span};
pub(crate) use supervisor::{HookThreads, ServiceRecord, Supervisor};
pub(crate) use table::{stop_watching_sessions, watch_sessions};
pub(crate) use tagged::TICK;
pub(crate) use task::spawn_on;
pub(crate) use thread::is_polled_directly;
pub(crate) use watch::{Held, Watch, body_blocks_since, name_of, occupied_workers};

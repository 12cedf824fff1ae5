//! Which polls go on at this moment, for reports while the program runs.

use tokio::time::Instant;

use super::counter::Kind;
use super::scope::Scope;
use super::site::Site;
use super::snapshot::Watch;
use super::thread::{self, Role};
use crate::machine::Owner;

/// A poll that goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) thread: u32,
    pub(crate) poll: u64,
    pub(crate) kind: Kind,
    pub(crate) site: &'static Site,
    pub(crate) scope: &'static Scope,
    /// The look in which it was first seen.
    pub(crate) since: Instant,
}

/// What occupies workers of the data plane at this moment, as far as it is known: sessions, bodies and other code
/// of services that is polled there. The body of `main` occupies one only where the main thread is the worker.
pub(crate) fn occupied_workers(main_is_worker: bool) -> usize {
    let occupies = |seen: &thread::Seen| match (seen.counter.kind, seen.role) {
        (Kind::Blocking, _) | (_, Role::OwnRuntime) => false,
        (Kind::Main, _) => main_is_worker,
        (_, Role::DataPlane) => true,
        // The program has set an `on_thread_start` of its own, or this is no thread of tokio's.
        (_, Role::Unknown) => !seen.is_blocking_body(),
    };
    thread::look().polled.into_iter().filter(occupies).count()
}

impl Watch {
    /// Every poll that goes on and was seen in the last look. What has a thread to block on is left out:
    /// closures on the blocking pool, and the bodies of blocking services.
    pub(crate) fn held(&self) -> Vec<Held> {
        let held = |seen: thread::Seen| {
            let counter = seen.counter;
            let may_block = counter.kind == Kind::Blocking || seen.is_blocking_body();
            let since = self.since(&seen).filter(|_| !may_block)?;
            let (site, scope) = (counter.site, counter.scope);
            Some(Held { thread: seen.thread, poll: seen.poll, kind: counter.kind, site, scope, since })
        };
        thread::look().polled.into_iter().filter_map(held).collect()
    }
}

/// What is polled, as messages name it.
pub(crate) fn name_of(kind: Kind, name: Option<&str>, home: &Scope) -> String {
    let owner = if home.owner == Owner::Root { String::new() } else { format!(" of service `{}`", home.name()) };
    match (kind, name) {
        (Kind::Main, _) => "the body of main".to_owned(),
        (Kind::Service, _) => format!("service `{}`", home.name()),
        (Kind::Session | Kind::Blocking, Some(name)) => format!("session `{name}`{owner}"),
        (Kind::Session | Kind::Blocking, None) => format!("session{owner}"),
    }
}

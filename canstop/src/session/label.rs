//! Labels, which tell the sessions of one site apart in reports.
//!
//! Only a session that has one pays for it: a lock when it is spawned and when it ends, and a look at the
//! clock for each poll.

use std::fmt::Display;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use slab::Slab;
use tokio::time::Instant;

use super::scope::Scope;
use super::site::Site;
use super::split::Named;
use crate::machine::Activity;

/// Sessions are entered in one of these in turn, so that threads seldom meet.
static LABELLED: [Mutex<Slab<Arc<Labelled>>>; 16] = [const { Mutex::new(Slab::new()) }; 16];

fn lock(shard: usize) -> MutexGuard<'static, Slab<Arc<Labelled>>> {
    LABELLED[shard].lock().expect("nothing panics while it holds the list of labels")
}

/// A poll that has taken less than this does not block its thread.
const BLOCKS: Duration = Duration::from_millis(100);

/// A session that has a label, as reports see it.
#[derive(Debug)]
struct Labelled {
    site: &'static Site,
    /// Where it is counted.
    scope: &'static Scope,
    label: String,
    spawned: Instant,
    /// What it does: [`QUEUED`], [`WAITING`], or the milliseconds from its spawn to the poll that it is in.
    /// Relaxed: a report may be a moment off.
    polled: AtomicU64,
}

const QUEUED: u64 = u64::MAX;
const WAITING: u64 = u64::MAX - 1;

impl Labelled {
    fn activity(&self, age: Duration) -> Activity {
        match self.polled.load(Ordering::Relaxed) {
            QUEUED => Activity::Queued,
            WAITING => Activity::Waiting,
            after => match age.saturating_sub(Duration::from_millis(after)) {
                since if since < BLOCKS => Activity::Waiting,
                since => Activity::Blocking { since },
            },
        }
    }
}

/// A session's entry in the list of those that have a label.
#[derive(Debug)]
pub(super) struct Label {
    session: Arc<Labelled>,
    shard: usize,
    key: usize,
}

impl Label {
    /// Enters a session that is about to be spawned.
    pub(super) fn enter(site: &'static Site, home: &'static Scope, label: &dyn Display) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let scope = home.counts(site);
        let (label, spawned) = (label.to_string(), Instant::now());
        let session = Arc::new(Labelled { site, scope, label, spawned, polled: AtomicU64::new(QUEUED) });
        let shard = NEXT.fetch_add(1, Ordering::Relaxed) % LABELLED.len();
        let key = lock(shard).insert(Arc::clone(&session));
        Self { session, shard, key }
    }

    /// While the guard is held, the session is polled.
    fn polled(&self) -> Polled<'_> {
        let after = u64::try_from(self.session.spawned.elapsed().as_millis()).unwrap_or(0);
        self.session.polled.store(after, Ordering::Relaxed);
        Polled(&self.session)
    }
}

impl Drop for Label {
    fn drop(&mut self) {
        lock(self.shard).remove(self.key);
    }
}

struct Polled<'a>(&'a Labelled);

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        self.0.polled.store(WAITING, Ordering::Relaxed);
    }
}

pin_project! {
    /// A future or closure, and its label, which is dropped after it.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub(super) struct WithLabel<F> {
        #[pin]
        pub(super) work: F,
        pub(super) label: Label,
    }
}

impl<F> WithLabel<F> {
    /// Runs a closure.
    pub(super) fn run<T>(self) -> T
    where
        F: FnOnce() -> T,
    {
        let Self { work, label } = self;
        let _polled = label.polled();
        work()
    }
}

impl<F: Future> Future for WithLabel<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _polled = this.label.polled();
        this.work.poll(cx)
    }
}

/// The sessions of these scopes that have a label.
pub(super) fn labelled(now: Instant, is_meant: impl Fn(&'static Scope) -> bool) -> Vec<Named> {
    let mut named = Vec::new();
    for shard in 0..LABELLED.len() {
        let sessions = lock(shard);
        named.extend(sessions.iter().filter(|(_, session)| is_meant(session.scope)).map(|(_, session)| {
            let age = now.saturating_duration_since(session.spawned);
            Named {
                site: session.site,
                owner: session.scope.owner,
                name: session.label.clone(),
                age,
                activity: session.activity(age),
            }
        }));
    }
    named
}

//! Labels, which distinguish the sessions of one site in reports.
//!
//! Only a labelled session pays for it: it takes a lock when it is spawned and when it ends, and reads the clock
//! for each poll.

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

/// Sessions use these in turn, so that threads rarely contend for one.
static LABELLED: [Mutex<Slab<Arc<Labelled>>>; 16] = [const { Mutex::new(Slab::new()) }; 16];

fn lock(shard: usize) -> MutexGuard<'static, Slab<Arc<Labelled>>> {
    LABELLED[shard].lock().expect("nothing panics while it holds the list of labels")
}

/// A poll that takes less than this does not count as one that blocks.
const BLOCKS: Duration = Duration::from_millis(100);

/// A labelled session, as reports see it.
#[derive(Debug)]
struct Labelled {
    site: &'static Site,
    /// The scope that it is counted in.
    scope: &'static Scope,
    label: String,
    spawned: Instant,
    /// [`QUEUED`], [`WAITING`], or the milliseconds from its spawn to the begin of its present poll. Relaxed: a
    /// report may be slightly out of date.
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

/// A session's entry in the list of labelled sessions.
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

    /// While the guard exists, the session is polled.
    fn poll(&self) -> LabelledPoll<'_> {
        let after = u64::try_from(self.session.spawned.elapsed().as_millis()).unwrap_or(0);
        self.session.polled.store(after, Ordering::Relaxed);
        LabelledPoll(&self.session)
    }
}

impl Drop for Label {
    fn drop(&mut self) {
        lock(self.shard).remove(self.key);
    }
}

struct LabelledPoll<'a>(&'a Labelled);

impl Drop for LabelledPoll<'_> {
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
        let _poll = label.poll();
        work()
    }
}

impl<F: Future> Future for WithLabel<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _poll = this.label.poll();
        this.work.poll(cx)
    }
}

/// The labelled sessions of these scopes, as far as they are read by `until`.
pub(super) fn labelled(
    now: Instant,
    until: std::time::Instant,
    is_meant: impl Fn(&'static Scope) -> bool,
) -> Vec<Named> {
    let mut named = Vec::new();
    for shard in 0..LABELLED.len() {
        if std::time::Instant::now() >= until {
            break;
        }
        let sessions = lock(shard);
        named.extend(sessions.iter().filter(|(_, session)| is_meant(session.scope)).map(|(_, session)| {
            let age = now.saturating_duration_since(session.spawned);
            Named {
                site: session.site,
                scope: session.scope,
                name: session.label.clone(),
                age,
                activity: session.activity(age),
            }
        }));
    }
    named
}

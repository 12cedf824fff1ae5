//! Counting what is alive, and naming it.

use std::collections::HashMap;
use std::ptr;
use std::time::Duration;

use tokio::time::Instant;

use super::counter::{Counter, Kind};
use super::origin::Birth;
use super::scope::Scope;
use super::site::Site;
use super::starts::Starts;
use super::supervisor::Supervisor;
use super::tally::Tally;
use super::thread::{self, Seen};
use super::waiting;
use crate::machine::{Activity, Owner};

/// How long a tick is: ages are known to it.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The sessions of one scope at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    pub(crate) scope: &'static Scope,
    pub(crate) alive: u64,
    /// Since the program began.
    pub(crate) finished: u64,
}

/// Counts every scope's sessions. If several scopes have none, there was one moment at which none of
/// them had any: see [`super::tally`] for why both passes go over all of them.
pub(crate) fn count(supervisor: &Supervisor) -> Vec<Count> {
    let finished: Vec<u64> = supervisor.scopes().into_iter().map(|scope| scope.sum(Tally::finished)).collect();
    // The lists are taken anew, so that what was added in between is not missed. Scopes are only
    // ever added at the end.
    let finished = finished.into_iter().chain(std::iter::repeat(0));
    let of_scope = |(scope, finished): (&'static Scope, u64)| Count {
        scope,
        alive: scope.sum(Tally::started) - finished,
        finished,
    };
    supervisor.scopes().into_iter().zip(finished).map(of_scope).collect()
}

/// Sessions of one site and owner have one name.
type Key = (usize, usize, Kind);

fn key(counter: &'static Counter) -> Key {
    (ptr::from_ref(counter.site).addr(), ptr::from_ref(counter.scope).addr(), counter.kind)
}

/// Which polls have been going on, and since when; and how many sessions were started by when.
///
/// It looks once a tick. A poll that is seen in two looks holds its thread.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: HashMap<u32, (u64, Instant)>,
    starts: HashMap<Key, Starts>,
}

impl Watch {
    /// Looks at every thread, and lets ages go on.
    pub(crate) fn tick(&mut self, supervisor: &Supervisor, began: Instant, now: Instant) {
        let ticks = now.duration_since(began).as_millis() / TICK.as_millis();
        supervisor.set_now(u32::try_from(ticks).unwrap_or(u32::MAX));
        supervisor.let_go();
        let mut seen = HashMap::with_capacity(self.seen.len());
        for Seen { thread, poll, .. } in thread::look() {
            let since = match self.seen.get(&thread) {
                Some(&(same, since)) if same == poll => since,
                _ => now,
            };
            seen.insert(thread, (poll, since));
        }
        self.seen = seen;
        self.note_starts(supervisor, now);
    }

    fn note_starts(&mut self, supervisor: &Supervisor, now: Instant) {
        let mut started: HashMap<Key, u64> = HashMap::with_capacity(self.starts.len());
        for scope in supervisor.scopes() {
            for counter in scope.lock_counters().iter() {
                *started.entry(key(counter)).or_default() += counter.tally.started();
            }
        }
        // Of scopes that are over nothing is kept.
        self.starts.retain(|key, _| started.contains_key(key));
        for (key, started) in started {
            self.starts.entry(key).or_default().note(now, started);
        }
    }

    /// Since when this poll has been seen, if it was seen before.
    fn since(&self, seen: &Seen) -> Option<Instant> {
        self.seen.get(&seen.thread).filter(|(poll, _)| *poll == seen.poll).map(|&(_, since)| since)
    }

    /// How long session number `number` of this name has been there, at least.
    fn age_of(&self, counter: &'static Counter, number: u64, now: Instant) -> Duration {
        let by_when = self.starts.get(&key(counter)).and_then(|starts| starts.by_when(number));
        by_when.map_or(Duration::ZERO, |when| now.duration_since(when))
    }
}

/// Sessions of one place that do the same, or a body that holds a thread.
#[derive(Clone, Debug)]
pub(crate) struct SessionGroup {
    pub(crate) kind: Kind,
    pub(crate) site: &'static Site,
    pub(crate) owner: Owner,
    pub(crate) count: u64,
    pub(crate) oldest: Option<Duration>,
    pub(crate) activity: Activity,
}

/// What is known of the sessions of one site and owner. Ages are in ticks.
#[derive(Debug)]
struct Known {
    counter: &'static Counter,
    started: u64,
    alive: u64,
    /// Those in the table of those that wait.
    entered: u64,
    oldest_entered: Option<u32>,
    blocking: u64,
    blocking_since: Option<Instant>,
    oldest_blocking: Option<u32>,
    /// Those of the ones that block which are not in the table.
    blocking_unentered: u64,
    /// Those that are being polled, move on, and are not in the table yet.
    passing: u64,
}

impl Known {
    fn new(counter: &'static Counter) -> Self {
        Self {
            counter,
            started: 0,
            alive: 0,
            entered: 0,
            oldest_entered: None,
            blocking: 0,
            blocking_since: None,
            oldest_blocking: None,
            blocking_unentered: 0,
            passing: 0,
        }
    }

    /// Takes in that a thread polls one of them.
    fn polled(&mut self, seen: &Seen, since: Option<Instant>, now: Instant, born_now: Birth) {
        let born = seen.mark.born();
        let entered = born.is_none();
        // A closure on the blocking pool holds its thread from its first moment.
        match since.or((self.counter.kind == Kind::Blocking).then_some(now)) {
            Some(since) => {
                self.blocking += 1;
                self.blocking_since = Some(self.blocking_since.map_or(since, |earlier| earlier.min(since)));
                // One that stands in the table is at most as old as the oldest that does.
                let age = born.map_or(self.oldest_entered, |born| born.age(born_now));
                self.oldest_blocking = self.oldest_blocking.max(age);
                self.blocking_unentered += u64::from(!entered);
            }
            None => self.passing += u64::from(!entered),
        }
    }

    /// A row for each thing that some of them do.
    ///
    /// What stands in no table and on no thread is queued if threads are held up. If none is, it came
    /// or went while this was looked at, and waits like the others.
    fn rows(&self, watch: &Watch, now: Instant, threads_are_held: bool) -> Vec<SessionGroup> {
        let row = |count, oldest: Option<Duration>, activity| SessionGroup {
            kind: self.counter.kind,
            site: self.counter.site,
            owner: self.counter.scope.owner,
            count,
            oldest,
            activity,
        };
        let age = |ticks: u32| TICK * ticks;
        let mut rows = Vec::new();
        if let Some(since) = self.blocking_since {
            let since = now.duration_since(since);
            let oldest = self.oldest_blocking.map(|ticks| age(ticks).max(since));
            rows.push(row(self.blocking, oldest, Activity::Blocking { since }));
        }
        let unseen = self.alive.saturating_sub(self.entered + self.blocking_unentered + self.passing);
        let queued = if threads_are_held { unseen } else { 0 };
        let seen = self.entered + self.passing + (unseen - queued);
        let waiting = seen.saturating_sub(self.blocking - self.blocking_unentered);
        if waiting > 0 {
            rows.push(row(waiting, self.oldest_entered.map(age), Activity::Waiting));
        }
        if queued > 0 {
            // At least so old: see `starts`.
            let oldest = watch.age_of(self.counter, self.started - queued + 1, now);
            rows.push(row(queued, Some(oldest), Activity::Queued));
        }
        rows
    }
}

/// Names what is alive among these owners' sessions, site by site.
pub(crate) fn snapshot_sessions(
    supervisor: &Supervisor,
    watch: &Watch,
    owners: &[Owner],
    now: Instant,
) -> Vec<SessionGroup> {
    let born_now = supervisor.now();
    let mut known: HashMap<Key, Known> = HashMap::new();
    for scope in supervisor.scopes().into_iter().filter(|scope| owners.contains(&scope.owner)) {
        let counters = scope.lock_counters().clone();
        // Finished first, as always.
        let finished: Vec<_> = counters.iter().map(|counter| counter.tally.finished()).collect();
        for (counter, finished) in counters.into_iter().zip(finished) {
            let known = known.entry(key(counter)).or_insert_with(|| Known::new(counter));
            let started = counter.tally.started();
            known.started += started;
            // One thread may have finished more than it started; their sum has not.
            known.alive = known.alive.wrapping_add(started).wrapping_sub(finished);
        }
    }
    waiting::for_each(|origin| {
        if let Some(known) = known.get_mut(&key(origin.counter())) {
            known.entered += 1;
            known.oldest_entered = known.oldest_entered.max(origin.born().age(born_now));
        }
    });
    let mut threads_are_held = false;
    for seen in thread::look() {
        threads_are_held |= watch.since(&seen).is_some();
        if let Some(known) = known.get_mut(&key(seen.counter)) {
            known.polled(&seen, watch.since(&seen), now, born_now);
        }
    }
    let mut known: Vec<_> = known.into_values().filter(|known| known.alive > 0).collect();
    known.sort_by_key(|known| (known.counter.site.file, known.counter.site.line, known.counter.scope.owner));
    known.iter().flat_map(|known| known.rows(watch, now, threads_are_held)).collect()
}

/// Since when the body of this scope has held a thread, if it does.
pub(crate) fn body_blocks_since(scope: &Scope, watch: &Watch) -> Option<Instant> {
    thread::look()
        .into_iter()
        .filter(|seen| ptr::eq(seen.counter.scope, scope))
        .filter(|seen| matches!(seen.counter.kind, Kind::Service | Kind::Main))
        .filter_map(|seen| watch.since(&seen))
        .min()
}

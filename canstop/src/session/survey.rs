//! Counting what is alive, and naming it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::counter::{Counter, Kind};
use super::scope::Scope;
use super::site::Site;
use super::supervisor::Supervisor;
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
/// them had any: see [`super::counter`] for why both passes go over all of them.
pub(crate) fn count(supervisor: &Supervisor) -> Vec<Count> {
    let sum = |scope: &Scope, of: fn(&Counter) -> u64| scope.lock_counters().iter().map(|counter| of(counter)).sum();
    let finished: Vec<u64> = supervisor.scopes().into_iter().map(|scope| sum(scope, Counter::finished)).collect();
    // The lists are taken anew, so that what was added in between is not missed. Scopes are only
    // ever added at the end.
    let finished = finished.into_iter().chain(std::iter::repeat(0));
    let of_scope = |(scope, finished)| {
        let started: u64 = sum(scope, Counter::started);
        Count { scope, alive: started - finished, finished }
    };
    supervisor.scopes().into_iter().zip(finished).map(of_scope).collect()
}

/// Which polls have been going on, and since when.
///
/// It looks at every thread once a tick. A poll that is seen in two looks holds its thread.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: HashMap<u32, (u64, Instant)>,
}

impl Watch {
    /// Looks at every thread, and lets ages go on.
    pub(crate) fn tick(&mut self, supervisor: &Supervisor, began: Instant, now: Instant) {
        let ticks = now.duration_since(began).as_millis() / TICK.as_millis();
        supervisor.set_tick(u32::try_from(ticks).unwrap_or(u32::MAX));
        let mut seen = HashMap::with_capacity(self.seen.len());
        for Seen { thread, poll, .. } in thread::look() {
            let since = match self.seen.get(&thread) {
                Some(&(same, since)) if same == poll => since,
                _ => now,
            };
            seen.insert(thread, (poll, since));
        }
        self.seen = seen;
    }

    /// Since when this poll has been seen, if it was seen before.
    fn since(&self, seen: &Seen) -> Option<Instant> {
        self.seen.get(&seen.thread).filter(|(poll, _)| *poll == seen.poll).map(|&(_, since)| since)
    }
}

/// Sessions of one place that do the same, or a body that holds a thread.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) site: &'static Site,
    pub(crate) owner: Owner,
    pub(crate) count: u64,
    pub(crate) oldest: Option<Duration>,
    pub(crate) activity: Activity,
}

/// What is known of the sessions of one site and owner.
#[derive(Debug)]
struct Tally {
    counter: &'static Counter,
    alive: u64,
    entered: u64,
    /// In ticks.
    oldest_entered: Option<u32>,
    blocking: u64,
    blocking_since: Option<Instant>,
    /// In ticks.
    oldest_blocking: Option<u32>,
    /// Those of the ones that block which are not in the table.
    blocking_unentered: u64,
    /// Those that are being polled, move on, and are not in the table yet.
    passing: u64,
}

impl Tally {
    fn new(counter: &'static Counter) -> Self {
        Self {
            counter,
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

    fn polled(&mut self, seen: &Seen, since: Option<Instant>, now: Instant, tick: u32) {
        let entered = seen.mark.is_entered();
        // A closure on the blocking pool holds its thread from its first moment.
        match since.or((self.counter.kind == Kind::Blocking).then_some(now)) {
            Some(since) => {
                self.blocking += 1;
                self.blocking_since = Some(self.blocking_since.map_or(since, |earlier| earlier.min(since)));
                // One that stands in the table is at most as old as the oldest that does.
                let age = if entered { self.oldest_entered } else { Some(seen.mark.age(tick)) };
                self.oldest_blocking = self.oldest_blocking.max(age);
                self.blocking_unentered += u64::from(!entered);
            }
            None => self.passing += u64::from(!entered),
        }
    }
}

/// Names what is alive among these owners' sessions, site by site.
pub(crate) fn survey(supervisor: &Supervisor, watch: &Watch, owners: &[Owner], now: Instant) -> Vec<Found> {
    let tallies = tally(supervisor, watch, owners, now);
    let age = |ticks: u32| TICK * ticks;
    let mut found = Vec::new();
    for tally in tallies {
        let Tally { alive, entered, blocking, blocking_unentered, passing, .. } = tally;
        let row = |count, oldest, activity| Found {
            kind: tally.counter.kind,
            site: tally.counter.site,
            owner: tally.counter.scope.owner,
            count,
            oldest,
            activity,
        };
        if let Some(since) = tally.blocking_since {
            let since = now.duration_since(since);
            let oldest = tally.oldest_blocking.map(age).map(|oldest| oldest.max(since));
            found.push(row(blocking, oldest, Activity::Blocking { since }));
        }
        let waiting = (entered + passing).saturating_sub(blocking - blocking_unentered);
        if waiting > 0 {
            found.push(row(waiting, tally.oldest_entered.map(age), Activity::Waiting));
        }
        let queued = alive.saturating_sub(entered + blocking_unentered + passing);
        if queued > 0 {
            found.push(row(queued, None, Activity::Queued));
        }
    }
    found
}

fn tally(supervisor: &Supervisor, watch: &Watch, owners: &[Owner], now: Instant) -> Vec<Tally> {
    let mut tallies: HashMap<_, Tally> = HashMap::new();
    let tick = supervisor.tick();
    let key = |counter: &'static Counter| {
        (std::ptr::from_ref(counter.site).addr(), std::ptr::from_ref(counter.scope).addr(), counter.kind)
    };
    for scope in supervisor.scopes().into_iter().filter(|scope| owners.contains(&scope.owner)) {
        let counters = scope.lock_counters().clone();
        // Finished first, as always.
        let finished: Vec<_> = counters.iter().map(|counter| counter.finished()).collect();
        for (counter, finished) in counters.into_iter().zip(finished) {
            let tally = tallies.entry(key(counter)).or_insert_with(|| Tally::new(counter));
            // One thread's counter may have finished more than it started; their sum has not.
            tally.alive = tally.alive.wrapping_add(counter.started()).wrapping_sub(finished);
        }
    }
    waiting::for_each(|entry| {
        if let Some(tally) = tallies.get_mut(&key(entry.counter)) {
            tally.entered += 1;
            tally.oldest_entered = tally.oldest_entered.max(Some(entry.born.age(tick)));
        }
    });
    for seen in thread::look() {
        if let Some(tally) = tallies.get_mut(&key(seen.counter)) {
            tally.polled(&seen, watch.since(&seen), now, tick);
        }
    }
    let mut tallies: Vec<_> = tallies.into_values().filter(|tally| tally.alive > 0).collect();
    tallies.sort_by_key(|tally| (tally.counter.site.file, tally.counter.site.line, tally.counter.scope.owner));
    tallies
}

/// Since when the body of this scope has held a thread, if it does.
pub(crate) fn body_blocks_since(scope: &Scope, watch: &Watch) -> Option<Instant> {
    thread::look()
        .into_iter()
        .filter(|seen| std::ptr::eq(seen.counter.scope, scope))
        .filter(|seen| matches!(seen.counter.kind, Kind::Service | Kind::Main))
        .filter_map(|seen| watch.since(&seen))
        .min()
}

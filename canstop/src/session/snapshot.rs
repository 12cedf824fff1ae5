//! Naming the live sessions: one pass over counters, one over the table, one over the threads.

use std::collections::{HashMap, HashSet};
use std::ptr;
use std::time::Duration;

use tokio::time::Instant;

use super::scope::{Counter, Kind, Scope};
use super::site::Site;
use super::supervisor::Supervisor;
use super::table;
use super::tagged::{SpawnTick, TICK};
use super::thread::{self, ThreadPoll};
use super::watch::{Key, Watch, key};
use crate::machine::{Activity, Owner};

/// Sessions of one site and scope that do the same, or a body that holds a thread.
#[derive(Clone, Debug)]
pub(crate) struct SessionGroup {
    pub(crate) kind: Kind,
    pub(crate) site: &'static Site,
    pub(crate) scope: &'static Scope,
    pub(crate) count: u64,
    pub(crate) oldest: Option<Duration>,
    pub(crate) activity: Activity,
    /// The request that they serve, if that is known.
    pub(crate) request: Option<String>,
    pub(crate) label: Option<String>,
}

/// The sessions of one name. Ages are in ticks.
#[derive(Debug)]
struct NamedSessions {
    counter: &'static Counter,
    started: u64,
    alive: u64,
    entered: Entered,
    blocking: u64,
    blocking_since: Option<Instant>,
    oldest_blocking: Option<u32>,
    /// Those of the blocking ones that are not in the table.
    blocking_unentered: u64,
    /// Those that are being polled, do not block, and are not in the table yet.
    passing: u64,
}

/// The sessions of one counter or name in the table.
#[derive(Clone, Copy, Debug, Default)]
struct Entered {
    count: u64,
    oldest: Option<u32>,
}

impl Entered {
    fn add(&mut self, Self { count, oldest }: Self) {
        self.count += count;
        self.oldest = self.oldest.max(oldest);
    }
}

/// What else a row depends on.
struct Circumstances<'a> {
    watch: &'a Watch,
    now: Instant,
    threads_are_held: bool,
    /// The whole table was scanned.
    table_is_complete: bool,
}

impl NamedSessions {
    fn new(counter: &'static Counter) -> Self {
        Self {
            counter,
            started: 0,
            alive: 0,
            entered: Entered::default(),
            blocking: 0,
            blocking_since: None,
            oldest_blocking: None,
            blocking_unentered: 0,
            passing: 0,
        }
    }

    /// Adds one that a thread polls. `since` is set if a scan before has found the same poll.
    fn add_polled(&mut self, polled: &ThreadPoll, since: Option<Instant>, now: Instant, tick_now: SpawnTick) {
        let spawned = polled.tag.tick();
        let is_entered = spawned.is_none();
        // A closure on the blocking pool holds its thread from its first moment.
        match since.or((self.counter.kind == Kind::Blocking).then_some(now)) {
            Some(since) => {
                self.blocking += 1;
                self.blocking_since = Some(self.blocking_since.map_or(since, |earlier| earlier.min(since)));
                // One in the table is at most as old as the oldest one there.
                let age = spawned.map_or(self.entered.oldest, |spawned| spawned.age(tick_now));
                self.oldest_blocking = self.oldest_blocking.max(age);
                self.blocking_unentered += u64::from(!is_entered);
            }
            None => self.passing += u64::from(!is_entered),
        }
    }

    /// A row for each activity.
    ///
    /// A session that is neither in the table nor on a thread is queued if threads are held. If none is, it
    /// entered or ended during the scan, and counts as waiting. So does one that the scan of the table did not
    /// reach.
    fn rows(&self, circumstances: &Circumstances<'_>) -> Vec<SessionGroup> {
        let Circumstances { watch, now, threads_are_held, table_is_complete } = *circumstances;
        let row = |count, oldest: Option<Duration>, activity| SessionGroup {
            kind: self.counter.kind,
            site: self.counter.site,
            scope: self.counter.scope,
            count,
            oldest,
            activity,
            request: None,
            label: None,
        };
        let age = |ticks: u32| TICK * ticks;
        let mut rows = Vec::new();
        if let Some(since) = self.blocking_since {
            let since = now.duration_since(since);
            let oldest = self.oldest_blocking.map(|ticks| age(ticks).max(since));
            rows.push(row(self.blocking, oldest, Activity::Blocking { since }));
        }
        let entered = self.entered.count;
        let unseen = self.alive.saturating_sub(entered + self.blocking_unentered + self.passing);
        let queued = if threads_are_held && table_is_complete { unseen } else { 0 };
        let seen = entered + self.passing + (unseen - queued);
        let waiting = seen.saturating_sub(self.blocking - self.blocking_unentered);
        if waiting > 0 {
            rows.push(row(waiting, self.entered.oldest.map(age), Activity::Waiting));
        }
        if queued > 0 {
            // At least so old: see `starts`.
            let oldest = watch.age_of(self.counter, self.started - queued + 1, now);
            rows.push(row(queued, Some(oldest), Activity::Queued));
        }
        rows
    }
}

/// Counts the sessions of each name. `counters` lists the counters at the time of its call.
///
/// Every `finished` is read first, and the list is made again for `started`: a session that is counted as
/// finished was counted as started in a counter that was listed before. So no difference is negative.
fn count_by_name(counters: impl Fn() -> Vec<&'static Counter>) -> HashMap<Key, NamedSessions> {
    let mut finished: HashMap<Key, u64> = HashMap::new();
    for counter in counters() {
        *finished.entry(key(counter)).or_default() += counter.tally.finished();
    }
    let mut named: HashMap<Key, NamedSessions> = HashMap::new();
    for counter in counters() {
        named.entry(key(counter)).or_insert_with(|| NamedSessions::new(counter)).started += counter.tally.started();
    }
    for (key, named) in &mut named {
        named.alive = named.started - finished.get(key).copied().unwrap_or(0);
    }
    named
}

/// The waiting sessions of each counter, and whether the whole table was scanned by `until`.
///
/// Neighbours in the table mostly have the same counter, so not each of them is looked up in the map.
fn scan_table(until: std::time::Instant, now: SpawnTick) -> (HashMap<usize, (&'static Counter, Entered)>, bool) {
    let mut by_counter: HashMap<usize, (&'static Counter, Entered)> = HashMap::new();
    let mut add = |(counter, entered): (&'static Counter, Entered)| {
        by_counter.entry(ptr::from_ref(counter).addr()).or_insert((counter, Entered::default())).1.add(entered);
    };
    let mut run: Option<(&'static Counter, Entered)> = None;
    let is_complete = table::for_each(until, |tagged| {
        let one = Entered { count: 1, oldest: tagged.tick().age(now) };
        match &mut run {
            Some((counter, entered)) if ptr::eq(*counter, tagged.get()) => entered.add(one),
            run => {
                if let Some(run) = run.replace((tagged.get(), one)) {
                    add(run);
                }
            }
        }
    });
    if let Some(run) = run {
        add(run);
    }
    (by_counter, is_complete)
}

/// Names the live sessions of these owners, site by site. It scans the table until `until` at most.
pub(super) fn sessions_by_site(
    supervisor: &Supervisor,
    watch: &Watch,
    owners: &HashSet<Owner>,
    now: Instant,
    until: std::time::Instant,
) -> Vec<SessionGroup> {
    let tick_now = supervisor.now();
    let counters = || -> Vec<&'static Counter> {
        let is_asked_for = |scope: &&'static Scope| owners.contains(&scope.owner);
        let scopes = supervisor.scopes().into_iter().filter(is_asked_for);
        scopes.flat_map(|scope| scope.lock_counters().clone()).collect()
    };
    let mut named = count_by_name(counters);
    let (entered, table_is_complete) = scan_table(until, tick_now);
    for (counter, entered) in entered.into_values() {
        if let Some(named) = named.get_mut(&key(counter)) {
            named.entered.add(entered);
        }
    }
    let mut threads_are_held = false;
    for polled in thread::scan().polled {
        let since = watch.since(&polled);
        threads_are_held |= since.is_some() && !polled.is_blocking_body();
        if let Some(named) = named.get_mut(&key(polled.counter)) {
            named.add_polled(&polled, since, now, tick_now);
        }
    }
    let circumstances = Circumstances { watch, now, threads_are_held, table_is_complete };
    let mut named: Vec<_> = named.into_values().filter(|named| named.alive > 0).collect();
    named.sort_by_key(|named| (named.counter.site.file, named.counter.site.line, named.counter.scope.owner));
    named.iter().flat_map(|named| named.rows(&circumstances)).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::scope::Writer;
    use super::super::tests::{SITE, service};
    use super::*;

    #[test]
    fn a_counter_that_is_added_between_the_passes_is_counted() {
        let scope = service();
        let counter = || Counter::leak(&SITE, scope, Kind::Session, Writer::NONE);
        let (first, second) = (counter(), counter());
        let passes = Cell::new(0);
        // A session starts in a counter that the first pass does not know, and ends in one that it knows.
        let lists = || {
            passes.set(passes.get() + 1);
            if passes.get() == 1 {
                second.tally.count_start();
                first.tally.count_finish();
                vec![first]
            } else {
                vec![first, second]
            }
        };
        let named = count_by_name(lists);
        assert_eq!(named[&key(first)].alive, 0);
    }
}

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
    starts: StartsByName,
    /// How many polls all threads had begun at the last look.
    polls: u64,
    /// How many ticks ago the starts were counted.
    ticks_since_count: u32,
    ticks_since_ages: u32,
}

/// While nothing is polled, starts are counted only this often, in ticks.
const COUNT_IDLE_EVERY: u32 = 8;

/// How often births that are nearly forgotten are marked as such, in ticks: every six hours.
const AGES_EVERY: u32 = 216_000;

impl Watch {
    /// Looks at every thread, and lets ages go on.
    pub(crate) fn tick(&mut self, supervisor: &Supervisor, began: Instant, now: Instant) {
        let ticks = now.duration_since(began).as_millis() / TICK.as_millis();
        supervisor.set_now(u32::try_from(ticks).unwrap_or(u32::MAX));
        supervisor.let_go();
        supervisor.continue_waking();
        let mut seen = HashMap::with_capacity(self.seen.len());
        let mut holds = false;
        let look = thread::look();
        for polled in &look.polled {
            let since = match self.seen.get(&polled.thread) {
                Some(&(same, since)) if same == polled.poll => since,
                _ => now,
            };
            holds |= !polled.is_blocking_body();
            seen.insert(polled.thread, (polled.poll, since));
        }
        self.seen = seen;
        self.ticks_since_count += 1;
        if holds || look.polls != self.polls || self.ticks_since_count >= COUNT_IDLE_EVERY {
            self.polls = look.polls;
            self.ticks_since_count = 0;
            self.starts.count(supervisor, now);
        }
        self.ticks_since_ages += 1;
        if self.ticks_since_ages >= AGES_EVERY {
            self.ticks_since_ages = 0;
            mark_forgotten(supervisor.now());
        }
    }

    /// Since when this poll has been seen, if it was seen before.
    pub(super) fn since(&self, seen: &Seen) -> Option<Instant> {
        self.seen.get(&seen.thread).filter(|(poll, _)| *poll == seen.poll).map(|&(_, since)| since)
    }

    /// How long session number `number` of this name has been there, at least.
    fn age_of(&self, counter: &'static Counter, number: u64, now: Instant) -> Duration {
        let by_when = self.starts.of(key(counter)).and_then(|starts| starts.by_when(number));
        by_when.map_or(Duration::ZERO, |when| now.duration_since(when))
    }
}

/// The starts of each name's sessions, and how far each counter was.
#[derive(Debug, Default)]
struct StartsByName {
    /// The version of the supervisor's lists that the rest was made from.
    version: u64,
    counters: Vec<CounterStarts>,
    names: Vec<NameStarts>,
    by_key: HashMap<Key, usize>,
}

#[derive(Debug)]
struct CounterStarts {
    counter: &'static Counter,
    started: u64,
    /// Its place among the names.
    name: usize,
}

#[derive(Debug, Default)]
struct NameStarts {
    started: u64,
    starts: Starts,
}

impl StartsByName {
    /// Notes how many have been started. Only what has changed is worked on; the rest is one load each.
    fn count(&mut self, supervisor: &Supervisor, now: Instant) {
        let version = supervisor.counters_version();
        if version != self.version {
            self.version = version;
            self.find_counters(supervisor);
        }
        for CounterStarts { counter, started, name } in &mut self.counters {
            let present = counter.tally.started();
            if present != *started {
                let name = &mut self.names[*name];
                name.started += present - *started;
                *started = present;
                name.starts.note(now, name.started);
            }
        }
    }

    /// Takes in the counters of all scopes that are in use. Nothing is kept of others.
    fn find_counters(&mut self, supervisor: &Supervisor) {
        let before = std::mem::take(&mut self.counters);
        let before: HashMap<usize, u64> =
            before.iter().map(|known| (ptr::from_ref(known.counter).addr(), known.started)).collect();
        let mut names_before = std::mem::take(&mut self.names);
        let keys_before = std::mem::take(&mut self.by_key);
        for scope in supervisor.scopes() {
            for &counter in scope.lock_counters().iter() {
                let name = *self.by_key.entry(key(counter)).or_insert_with_key(|key| {
                    let known = keys_before.get(key).map(|&index| std::mem::take(&mut names_before[index]));
                    self.names.push(known.unwrap_or_default());
                    self.names.len() - 1
                });
                let started = before.get(&ptr::from_ref(counter).addr()).copied().unwrap_or(0);
                self.counters.push(CounterStarts { counter, started, name });
            }
        }
    }

    fn of(&self, key: Key) -> Option<&Starts> {
        self.by_key.get(&key).map(|&name| &self.names[name].starts)
    }
}

/// Marks what was born so long ago that its age would soon begin at zero again.
fn mark_forgotten(now: Birth) {
    waiting::mark_forgotten(now);
    thread::mark_forgotten(now);
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
    /// The request that they serve, if that is known.
    pub(crate) request: Option<String>,
    pub(crate) label: Option<String>,
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

/// Counts the sessions of each name. `counters` lists the counters at the time of its call.
///
/// Every `finished` is read first, and the list is taken anew for `started`: a session that is counted as
/// finished was counted as started in a counter that was listed before. So no difference is negative.
fn count_by_name(counters: impl Fn() -> Vec<&'static Counter>) -> HashMap<Key, Known> {
    let mut finished: HashMap<Key, u64> = HashMap::new();
    for counter in counters() {
        *finished.entry(key(counter)).or_default() += counter.tally.finished();
    }
    let mut known: HashMap<Key, Known> = HashMap::new();
    for counter in counters() {
        known.entry(key(counter)).or_insert_with(|| Known::new(counter)).started += counter.tally.started();
    }
    for (key, known) in &mut known {
        known.alive = known.started - finished.get(key).copied().unwrap_or(0);
    }
    known
}

/// Names what is alive among these owners' sessions, site by site.
pub(crate) fn snapshot_sessions(
    supervisor: &Supervisor,
    watch: &Watch,
    owners: &[Owner],
    now: Instant,
) -> Vec<SessionGroup> {
    let born_now = supervisor.now();
    let counters = || -> Vec<&'static Counter> {
        let is_asked_for = |scope: &&'static Scope| owners.contains(&scope.owner);
        let scopes = supervisor.scopes().into_iter().filter(is_asked_for);
        scopes.flat_map(|scope| scope.lock_counters().clone()).collect()
    };
    let mut known = count_by_name(counters);
    waiting::for_each(|origin| {
        if let Some(known) = known.get_mut(&key(origin.counter())) {
            known.entered += 1;
            known.oldest_entered = known.oldest_entered.max(origin.born().age(born_now));
        }
    });
    let mut threads_are_held = false;
    for seen in thread::look().polled {
        threads_are_held |= watch.since(&seen).is_some() && !seen.is_blocking_body();
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
        .polled
        .into_iter()
        .filter(|seen| ptr::eq(seen.counter.scope, scope))
        .filter(|seen| matches!(seen.counter.kind, Kind::Service | Kind::Main))
        .filter_map(|seen| watch.since(&seen))
        .min()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::tests::{SITE, service};
    use super::*;

    fn counter(scope: &'static Scope) -> &'static Counter {
        Counter::leak(&SITE, scope, Kind::Session, None)
    }

    #[test]
    fn a_counter_that_comes_up_between_the_passes_is_counted() {
        let scope = service();
        let (first, second) = (counter(scope), counter(scope));
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
        let known = count_by_name(lists);
        assert_eq!(known[&key(first)].alive, 0);
    }

    #[test]
    fn an_idle_program_counts_starts_once_in_eight_ticks() {
        let scope = service();
        let began = Instant::now();
        let mut watch = Watch::default();
        let mut tick = 0;
        let mut counts_starts = || {
            tick += 1;
            watch.tick(scope.supervisor, began, began + TICK * tick);
            watch.ticks_since_count == 0
        };
        assert!(counts_starts() || (0..COUNT_IDLE_EVERY).any(|_| counts_starts()));
        let counted = (0..80).filter(|_| counts_starts()).count();
        // Another test of this process may poll meanwhile.
        assert!(counted >= 10 && (counted == 10 || !is_alone()), "{counted} of 80 ticks");
    }

    /// nextest runs each test in a process of its own.
    fn is_alone() -> bool {
        std::env::var_os("NEXTEST").is_some()
    }

    #[test]
    fn starts_are_known_by_name_over_all_threads_and_scopes_that_come_and_go() {
        let scope = service();
        let (one, other) = (counter(scope), counter(scope));
        scope.add_counter(one);
        let mut starts = StartsByName::default();
        let began = Instant::now();
        one.tally.count_start();
        starts.count(scope.supervisor, began);
        scope.add_counter(other);
        other.tally.count_start();
        one.tally.count_start();
        starts.count(scope.supervisor, began + TICK);
        let known = starts.of(key(one)).unwrap();
        assert_eq!(
            [1, 2, 3, 4].map(|number| known.by_when(number)),
            [Some(began), Some(began + TICK), Some(began + TICK), None]
        );
        scope.supervisor.retire_scope(scope);
        starts.count(scope.supervisor, began + TICK * 2);
        assert!(starts.of(key(one)).is_none());
    }
}

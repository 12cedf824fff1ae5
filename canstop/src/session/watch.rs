//! Which polls have not returned, and how old sessions are that no thread has polled.

use std::collections::HashMap;
use std::mem;
use std::ptr;
use std::time::Duration;

use tokio::time::Instant;

use super::counting::CounterList;
use super::scope::{Counter, Kind, Scope};
use super::site::Site;
use super::starts::Starts;
use super::supervisor::Supervisor;
use super::table;
use super::tagged::SpawnTick;
use super::thread::{self, Role, ThreadPoll};
use crate::machine::Owner;

/// Sessions of one site and scope have one name.
pub(super) type Key = (usize, usize, Kind);

pub(super) fn key(counter: &'static Counter) -> Key {
    (ptr::from_ref(counter.site).addr(), ptr::from_ref(counter.scope).addr(), counter.kind)
}

/// Which polls go on, and since when; and when sessions were started.
///
/// It scans all threads once per tick. A poll that two scans find holds its thread.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    polls: HashMap<u32, (u64, Instant)>,
    starts: StartsByName,
    /// How many polls all threads had begun at the last scan.
    polls_begun: u64,
    /// How many polls all threads had begun at the last tick, and whether nothing is polled and none was begun since.
    polls_seen: u64,
    is_quiet: bool,
    ticks_since_count: u32,
    saturated: Option<Instant>,
}

/// While nothing is polled, starts are counted only this often, in ticks.
const COUNT_IDLE_EVERY: u32 = 8;

/// How often spawn ticks that are about to wrap around are saturated.
const SATURATE_EVERY: Duration = Duration::from_secs(6 * 3_600);

/// A poll that holds its thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) thread: u32,
    pub(crate) poll: u64,
    pub(crate) kind: Kind,
    pub(crate) site: &'static Site,
    pub(crate) scope: &'static Scope,
    /// The first scan that found it.
    pub(crate) since: Instant,
}

impl Watch {
    /// Scans all threads, and sets the tick of sessions that are spawned from now on.
    pub(crate) fn tick(&mut self, supervisor: &Supervisor, began: Instant, now: Instant) {
        supervisor.set_now(began, now);
        supervisor.unwatch_ended();
        supervisor.continue_waking();
        let mut polls = HashMap::with_capacity(self.polls.len());
        let mut holds = false;
        let scan = thread::scan();
        for polled in &scan.polled {
            holds |= !polled.is_blocking_body();
            polls.insert(polled.thread, (polled.poll, self.since(polled).unwrap_or(now)));
        }
        self.polls = polls;
        self.is_quiet = scan.polled.is_empty() && !scan.has_other_threads && scan.polls == self.polls_seen;
        self.polls_seen = scan.polls;
        self.ticks_since_count += 1;
        if holds || scan.polls != self.polls_begun || self.ticks_since_count >= COUNT_IDLE_EVERY {
            self.polls_begun = scan.polls;
            self.ticks_since_count = 0;
            self.starts.count(supervisor, now);
        }
        if now.duration_since(*self.saturated.get_or_insert(now)) >= SATURATE_EVERY {
            self.saturated = Some(now);
            saturate_ticks(supervisor.now());
        }
    }

    /// Returns true if no session and no service was polled between the last two ticks, and only threads that say when
    /// they wake up can poll one.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// The first scan that found this poll, if there was one before.
    pub(super) fn since(&self, polled: &ThreadPoll) -> Option<Instant> {
        self.polls.get(&polled.thread).filter(|(poll, _)| *poll == polled.poll).map(|&(_, since)| since)
    }

    /// The least age of session number `number` of this name.
    pub(super) fn age_of(&self, counter: &'static Counter, number: u64, now: Instant) -> Duration {
        let by_when = self.starts.of(key(counter)).and_then(|starts| starts.by_when(number));
        by_when.map_or(Duration::ZERO, |when| now.duration_since(when))
    }

    /// Every poll that the last scan found and that still goes on. What has a thread of its own is left out:
    /// closures on the blocking pool, and the bodies of blocking services.
    pub(crate) fn held(&self) -> Vec<Held> {
        let held = |polled: ThreadPoll| {
            let counter = polled.counter;
            let may_block = counter.kind == Kind::Blocking || polled.is_blocking_body();
            let since = self.since(&polled).filter(|_| !may_block)?;
            let (site, scope) = (counter.site, counter.scope);
            Some(Held { thread: polled.thread, poll: polled.poll, kind: counter.kind, site, scope, since })
        };
        thread::scan().polled.into_iter().filter_map(held).collect()
    }
}

/// How many workers of the data plane are occupied by code that is known: sessions, bodies and other code of services
/// that is polled there. The body of `main` occupies one only where the main thread is the worker.
pub(crate) fn occupied_workers(main_is_worker: bool) -> usize {
    let occupies = |polled: &ThreadPoll| match (polled.counter.kind, polled.role) {
        (Kind::Blocking, _) | (_, Role::OwnRuntime) => false,
        (Kind::Main, _) => main_is_worker,
        (_, Role::DataPlane | Role::Main) => true,
        // The program has set an `on_thread_start` of its own, or this is no thread of tokio's.
        (_, Role::Unknown) => !polled.is_blocking_body(),
    };
    thread::scan().polled.into_iter().filter(occupies).count()
}

/// Since when the body of this scope has held a thread, if it does.
pub(crate) fn body_blocks_since(scope: &Scope, watch: &Watch) -> Option<Instant> {
    thread::scan()
        .polled
        .into_iter()
        .filter(|polled| ptr::eq(polled.counter.scope, scope))
        .filter(|polled| matches!(polled.counter.kind, Kind::Service | Kind::Main))
        .filter_map(|polled| watch.since(&polled))
        .min()
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

fn saturate_ticks(now: SpawnTick) {
    table::saturate_ticks(now);
    thread::saturate_ticks(now);
}

/// When the sessions of each name were started.
#[derive(Debug, Default)]
struct StartsByName {
    list: CounterList,
    counters: Vec<CounterStarts>,
    names: Vec<NameStarts>,
    by_key: HashMap<Key, usize>,
}

#[derive(Debug)]
struct CounterStarts {
    counter: &'static Counter,
    started: u64,
    /// The index of its name.
    name: usize,
}

#[derive(Debug, Default)]
struct NameStarts {
    started: u64,
    starts: Starts,
}

impl StartsByName {
    /// Notes how many have been started. A counter that has not changed costs one load.
    fn count(&mut self, supervisor: &Supervisor, now: Instant) {
        if self.list.refresh(supervisor) {
            self.take_list();
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

    /// Keeps what is known of the counters that are listed, and forgets the others.
    fn take_list(&mut self) {
        let before = mem::take(&mut self.counters);
        let before: HashMap<usize, u64> =
            before.iter().map(|known| (ptr::from_ref(known.counter).addr(), known.started)).collect();
        let mut names_before = mem::take(&mut self.names);
        let keys_before = mem::take(&mut self.by_key);
        for &(_, counter) in &self.list.counters {
            let name = *self.by_key.entry(key(counter)).or_insert_with_key(|key| {
                let known = keys_before.get(key).map(|&index| mem::take(&mut names_before[index]));
                self.names.push(known.unwrap_or_default());
                self.names.len() - 1
            });
            let started = before.get(&ptr::from_ref(counter).addr()).copied().unwrap_or(0);
            self.counters.push(CounterStarts { counter, started, name });
        }
    }

    fn of(&self, key: Key) -> Option<&Starts> {
        self.by_key.get(&key).map(|&name| &self.names[name].starts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scope::Writer;
    use super::super::tagged::TICK;
    use super::super::tests::{SITE, service};
    use super::*;

    #[test]
    fn an_idle_program_counts_starts_once_in_eight_ticks() {
        let scope = service();
        let began = Instant::now();
        let mut watch = Watch::default();
        let mut tick = 0;
        let mut counts_starts = || {
            tick += 1;
            watch.tick(scope.supervisor(), began, began + TICK * tick);
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
    fn starts_are_known_by_name_over_all_threads() {
        let scope = service();
        let counter = || Counter::leak(&SITE, scope, Kind::Session, Writer::NONE);
        let (one, other) = (counter(), counter());
        scope.add_counter(one);
        let mut starts = StartsByName::default();
        let began = Instant::now();
        one.tally.count_start();
        starts.count(scope.supervisor(), began);
        scope.add_counter(other);
        other.tally.count_start();
        one.tally.count_start();
        starts.count(scope.supervisor(), began + TICK);
        let known = starts.of(key(one)).unwrap();
        assert_eq!(
            [1, 2, 3, 4].map(|number| known.by_when(number)),
            [Some(began), Some(began + TICK), Some(began + TICK), None]
        );
        scope.supervisor().retire_scope(scope);
        starts.count(scope.supervisor(), began + TICK * 2);
        assert!(starts.of(key(one)).is_none());
    }
}

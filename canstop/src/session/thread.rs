//! What each thread knows by itself, and what it lets others see.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::counter::{Counter, Kind};
use super::handshake::Clearing;
use super::scope::Scope;
use super::site::Site;
use super::slots;

/// The part of a thread that others can see. It outlives the thread, and then serves the next one.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Thread {
    /// Its place in the list of all threads.
    number: u32,
    /// What it polls: a [`Poll`], or zero for nothing.
    polling: AtomicU64,
    /// Is a session leaving the table of those that wait, here and now?
    clearing: Clearing,
    counters: Mutex<HashMap<CounterKey, &'static Counter>>,
}

/// One poll in one word: from the lowest bit, the [`Mark`] of the session in 25 bits, the counter's
/// id in 22, the number of the poll in 17. Seen twice alike, it is still the same poll.
type Poll = u64;

/// Which session of its site it is, as far as a report needs it: the tick of its birth in 24 bits,
/// nineteen days, or one bit that says that it stands in the table of those that wait, and its birth
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u32);

const BORN_BITS: u32 = 24;
const MARK_BITS: u32 = BORN_BITS + 1;
const ID_BITS: u32 = 22;
const ONE_POLL: Poll = 1 << (MARK_BITS + ID_BITS);

impl Mark {
    #[inline]
    pub(super) fn born(tick: u32) -> Self {
        Self(tick & ((1 << BORN_BITS) - 1))
    }

    /// Not known here, but to the table.
    pub(super) const ENTERED: Self = Self(1 << BORN_BITS);

    #[inline]
    pub(super) fn is_entered(self) -> bool {
        self.0 >> BORN_BITS != 0
    }

    #[inline]
    pub(super) fn to_bits(self) -> u32 {
        self.0
    }

    #[inline]
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// How many ticks ago it was born.
    pub(super) fn age(self, now: u32) -> u32 {
        now.wrapping_sub(self.0) & ((1 << BORN_BITS) - 1)
    }

    /// What a poll is called that polls no session.
    pub(super) const NONE: Self = Self(0);
}

/// A counter's share of the word.
pub(super) fn poll_tag(id: u32) -> Poll {
    // Beyond four million counters a poll goes without a name.
    let id = if id >> ID_BITS == 0 { id } else { 0 };
    u64::from(id) << MARK_BITS
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CounterKey {
    site: usize,
    /// The scope's address, which names it: scopes are never freed.
    scope: usize,
    kind: Kind,
}

static ALL: Mutex<Vec<&'static Thread>> = Mutex::new(Vec::new());
/// Threads that have ended, for the next ones.
static ENDED: Mutex<Vec<&'static Thread>> = Mutex::new(Vec::new());

fn lock<T>(list: &'static Mutex<Vec<T>>) -> MutexGuard<'static, Vec<T>> {
    list.lock().expect("nothing panics while it holds a list of threads")
}

/// A thread's own part. It has no destructor, so that reaching it costs one address computation.
struct Local {
    /// What runs: a session, a body, or, between them on the data plane's threads, the edge.
    current: Cell<Option<&'static Counter>>,
    /// What identifies the task that is being polled as a session.
    root_waker: Cell<*const ()>,
    /// How many polls this thread has begun, in the upper bits.
    polls: Cell<Poll>,
    thread: Cell<Option<&'static Thread>>,
    /// By site: the counter that was used last. Grown by leaking, twice the size each time.
    counters: Cell<&'static [Cell<Option<&'static Counter>>]>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            current: Cell::new(None),
            root_waker: Cell::new(std::ptr::null()),
            polls: Cell::new(0),
            thread: Cell::new(None),
            counters: Cell::new(&[]),
        }
    };
    /// Gives the visible part back when the thread ends.
    static GIVE_BACK: GiveBack = const { GiveBack };
}

struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        // A session that is dropped later still, by another destructor, takes a part anew.
        LOCAL.with(|local| {
            local.counters.set(&[]);
            slots::give_back_all();
            if let Some(thread) = local.thread.take() {
                lock(&ENDED).push(thread);
            }
        });
    }
}

impl Local {
    #[inline]
    fn thread(&self) -> &'static Thread {
        match self.thread.get() {
            Some(thread) => thread,
            None => self.take_thread(),
        }
    }

    #[cold]
    fn take_thread(&self) -> &'static Thread {
        let thread = lock(&ENDED).pop().unwrap_or_else(|| {
            let mut all = lock(&ALL);
            let thread: &'static Thread = Box::leak(Box::new(Thread {
                number: u32::try_from(all.len()).expect("fewer than four billion threads at once"),
                polling: AtomicU64::new(0),
                clearing: Clearing::new(),
                counters: Mutex::new(HashMap::new()),
            }));
            all.push(thread);
            thread
        });
        self.thread.set(Some(thread));
        // Fails only while the thread ends, and then the part stays with it.
        let _ = GIVE_BACK.try_with(|_| {});
        thread
    }

    /// A site is used with one kind only, so that need not be compared.
    #[inline]
    fn counter(&self, site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Counter {
        match self.counters.get().get(site.index()).map(Cell::get) {
            Some(Some(counter)) if std::ptr::eq(counter.home, scope) => counter,
            _ => self.find_counter(site, scope, kind),
        }
    }

    #[cold]
    fn find_counter(&self, site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Counter {
        let index = site.index_or_assign();
        let thread = self.thread();
        let key = CounterKey { site: index, scope: std::ptr::from_ref(scope).addr(), kind };
        let counter = {
            let mut counters = thread.counters.lock().expect("nothing panics while it holds its counters");
            *counters.entry(key).or_insert_with(|| {
                let counted_in = site.grace.map_or(scope, |grace| scope.group(grace));
                let counter = Counter::leak(site, counted_in, kind);
                counted_in.add_counter(counter);
                counter
            })
        };
        let known = self.counters.get();
        if index >= known.len() {
            let mut larger: Vec<_> = known.iter().map(|cell| Cell::new(cell.get())).collect();
            larger.resize_with((index + 1).next_power_of_two(), || Cell::new(None));
            self.counters.set(Vec::leak(larger));
        }
        self.counters.get()[index].set(Some(counter));
        counter
    }
}

/// This thread's counter.
#[inline]
pub(super) fn counter(site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Counter {
    LOCAL.with(|local| local.counter(site, scope, kind))
}

/// Where this thread says that a session leaves the table of those that wait.
#[inline]
pub(super) fn clearing() -> &'static Clearing {
    LOCAL.with(|local| &local.thread().clearing)
}

/// The same of every thread.
pub(super) fn clearing_of_all() -> Vec<&'static Clearing> {
    lock(&ALL).iter().map(|thread| &thread.clearing).collect()
}

/// Is this the waker of the very session that is being polled here?
#[inline]
pub(crate) fn is_root_waker(waker: &std::task::Waker) -> bool {
    LOCAL.with(|local| std::ptr::eq(local.root_waker.get(), waker.data()))
}

/// What runs on this thread.
#[inline]
pub(super) fn current() -> Option<&'static Counter> {
    LOCAL.with(|local| local.current.get())
}

/// Sets what runs on this thread, and says what it was.
pub(super) fn replace_current(current: Option<&'static Counter>) -> Option<&'static Counter> {
    LOCAL.with(|local| local.current.replace(current))
}

/// While it lives, the thread polls what the counter counts, and its code belongs to that scope.
///
/// It may be nested: a poll that blocks on another runtime's session is still there when that is
/// over, and the same poll as before. Dropped while it unwinds, it clears the slot too, or a healthy
/// thread would look blocked for ever.
#[derive(Debug)]
pub(crate) struct Polling {
    thread: &'static Thread,
    polling_before: Poll,
    current_before: Option<&'static Counter>,
    root_waker_before: *const (),
}

impl Polling {
    /// `mark` says which session it is; `root_waker` is its task's, or null where nobody is woken
    /// by the table of those that wait.
    #[inline]
    pub(super) fn begin(counter: &'static Counter, mark: Mark, root_waker: *const ()) -> Self {
        LOCAL.with(|local| {
            let thread = local.thread();
            let number = local.polls.get().wrapping_add(ONE_POLL);
            local.polls.set(number);
            // Relaxed throughout: this is read for reports only, by a reader that compares two
            // looks a tick apart.
            let begun = Self {
                thread,
                polling_before: thread.polling.load(Ordering::Relaxed),
                current_before: local.current.replace(Some(counter)),
                root_waker_before: local.root_waker.replace(root_waker),
            };
            thread.polling.store(number | counter.poll_tag | u64::from(mark.0), Ordering::Relaxed);
            begun
        })
    }
}

impl Drop for Polling {
    #[inline]
    fn drop(&mut self) {
        self.thread.polling.store(self.polling_before, Ordering::Relaxed);
        LOCAL.with(|local| {
            local.current.set(self.current_before);
            local.root_waker.set(self.root_waker_before);
        });
    }
}

/// What one thread was seen polling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) thread: u32,
    /// Alike in two looks: the same poll.
    pub(super) poll: Poll,
    pub(super) mark: Mark,
    pub(super) counter: &'static Counter,
}

/// Looks at every thread that polls something.
pub(super) fn look() -> Vec<Seen> {
    let threads = lock(&ALL).clone();
    let counters = Counter::all();
    let seen = |thread: &'static Thread| {
        let poll = thread.polling.load(Ordering::Relaxed);
        let id = (poll >> MARK_BITS) as u32 & ((1 << ID_BITS) - 1);
        let mark = Mark(poll as u32 & ((1 << MARK_BITS) - 1));
        Some(Seen { thread: thread.number, poll, mark, counter: counters.by_id(id)? })
    };
    threads.into_iter().filter_map(seen).collect()
}

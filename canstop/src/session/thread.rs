//! What each thread knows by itself, and what it lets others see.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use super::counter::{Counter, Kind};
use super::scope::{Scope, replace_scope};
use super::site::Site;

/// The part of a thread that others can see. It outlives the thread, and then serves the next one.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Thread {
    /// Its place in the list of all threads.
    number: u32,
    /// What it polls: the counter's id in the lower half, zero for nothing, and in the upper half
    /// the number of the poll. Seen twice alike, it is still the same poll.
    polling: AtomicU64,
    /// Which session it polls: its tick of birth in the upper half, its place in the table of those
    /// that wait in the lower.
    polled: AtomicU64,
    counters: Mutex<HashMap<CounterKey, &'static Counter>>,
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
    thread: Cell<Option<&'static Thread>>,
    /// By site: the counter that was used last. Grown by leaking, twice the size each time.
    counters: Cell<&'static [Cell<Option<&'static Counter>>]>,
    /// How many polls this thread has begun.
    polls: Cell<u32>,
    /// What identifies the task that is being polled as a session.
    root_waker: Cell<*const ()>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            thread: Cell::new(None),
            counters: Cell::new(&[]),
            polls: Cell::new(0),
            root_waker: Cell::new(std::ptr::null()),
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
                polled: AtomicU64::new(0),
                counters: Mutex::new(HashMap::new()),
            }));
            all.push(thread);
            thread
        });
        self.thread.set(Some(thread));
        // Polls go on being numbered where the last owner stopped, so that no two are alike.
        self.polls.set((thread.polling.load(Ordering::Relaxed) >> 32) as u32);
        // Fails only while the thread ends, and then the part stays with it.
        let _ = GIVE_BACK.try_with(|_| {});
        thread
    }

    #[inline]
    fn counter(&self, site: &'static Site, scope: &'static Scope, kind: Kind) -> &'static Counter {
        match self.counters.get().get(site.index()).map(Cell::get) {
            Some(Some(counter)) if std::ptr::eq(counter.scope, scope) && counter.kind == kind => counter,
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
                let counter = Counter::leak(site, scope, kind);
                scope.add_counter(counter);
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

/// This thread's number among all.
pub(super) fn number() -> u32 {
    LOCAL.with(|local| local.thread().number)
}

/// Is this the waker of the very session that is being polled here?
#[inline]
pub(crate) fn is_root_waker(waker: &std::task::Waker) -> bool {
    LOCAL.with(|local| std::ptr::eq(local.root_waker.get(), waker.data()))
}

/// While it lives, the thread polls what the counter counts, and its code belongs to that scope.
///
/// It may be nested: a poll that blocks on another runtime's session is still there when that is
/// over, and the same poll as before. Dropped while it unwinds, it clears the slot too, or a healthy
/// thread would look blocked for ever.
#[derive(Debug)]
pub(crate) struct Polling {
    thread: &'static Thread,
    polling_before: u64,
    polled_before: u64,
    scope_before: Option<&'static Scope>,
    root_waker_before: *const (),
}

impl Polling {
    /// `polled` says which session it is; `root_waker` is its task's, or null where nobody is woken
    /// by the table of those that wait.
    #[inline]
    pub(crate) fn begin(counter: &'static Counter, polled: u64, root_waker: *const ()) -> Self {
        LOCAL.with(|local| {
            let thread = local.thread();
            let number = local.polls.get().wrapping_add(1);
            local.polls.set(number);
            // Relaxed throughout: this is read for reports only, by a reader that compares two
            // looks a tick apart.
            let begun = Self {
                thread,
                polling_before: thread.polling.load(Ordering::Relaxed),
                polled_before: thread.polled.load(Ordering::Relaxed),
                scope_before: replace_scope(Some(counter.scope)),
                root_waker_before: local.root_waker.replace(root_waker),
            };
            thread.polled.store(polled, Ordering::Relaxed);
            thread.polling.store(u64::from(number) << 32 | u64::from(counter.id), Ordering::Relaxed);
            begun
        })
    }
}

impl Drop for Polling {
    #[inline]
    fn drop(&mut self) {
        // An outer poll is the same as before; idleness keeps the last number.
        let before = if self.polling_before as u32 == 0 {
            self.thread.polling.load(Ordering::Relaxed) & !u64::from(u32::MAX)
        } else {
            self.polling_before
        };
        self.thread.polling.store(before, Ordering::Relaxed);
        self.thread.polled.store(self.polled_before, Ordering::Relaxed);
        replace_scope(self.scope_before);
        LOCAL.with(|local| local.root_waker.set(self.root_waker_before));
    }
}

/// What one thread was seen polling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) thread: u32,
    /// Alike in two looks: the same poll.
    pub(super) poll: u64,
    pub(super) polled: u64,
    pub(super) counter: &'static Counter,
}

/// Looks at every thread that polls something.
pub(super) fn look() -> Vec<Seen> {
    let threads = lock(&ALL).clone();
    let seen = |thread: &'static Thread| {
        let poll = thread.polling.load(Ordering::Relaxed);
        let polled = thread.polled.load(Ordering::Relaxed);
        let counter = Counter::by_id(poll as u32)?;
        Some(Seen { thread: thread.number, poll, polled, counter })
    };
    threads.into_iter().filter_map(seen).collect()
}

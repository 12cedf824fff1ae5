//! Models of the hot path's protocols, run in every order that the memory model allows.
//!
//! The files under test are the crate's own, with atomics that wrap loom's in the place of std's. Each wrapper has the
//! line of its caller. So [`every_ordering_is_needed`] can weaken each ordering and each fence of these files in turn:
//! a model must then fail, or the ordering is needless.

mod atomics {
    use std::cell::{Cell, RefCell};
    use std::collections::{BTreeMap, HashSet};
    use std::panic::Location;

    pub(super) use loom::sync::atomic::Ordering;
    pub(super) use loom::thread::yield_now;
    use loom::thread::{ThreadId, current};

    /// A line of the files under test: `handshake.rs:47:9`.
    pub(super) type Place = String;

    // Loom runs all threads of a model on one thread of std's. So these variables are shared by all of them, and order
    // nothing.
    std::thread_local! {
        /// The orderings and fences that were executed, by their places.
        pub(super) static MET: RefCell<BTreeMap<Place, String>> = const { RefCell::new(BTreeMap::new()) };
        /// The one that is weakened.
        pub(super) static WEAKENED: RefCell<Option<Place>> = const { RefCell::new(None) };
        /// The barrier for all threads was executed.
        static INTERRUPTED: Cell<bool> = const { Cell::new(false) };
        /// The threads that have executed their part of it.
        static HAD_BARRIER: RefCell<HashSet<ThreadId>> = RefCell::new(HashSet::new());
    }

    /// Called at the beginning of each run of a model.
    pub(super) fn reset() {
        INTERRUPTED.set(false);
        HAD_BARRIER.take();
    }

    /// The watcher's barrier for all threads, as `membarrier(2)` brings it: it interrupts each thread, which executes a
    /// full barrier between its last operation and its next.
    #[track_caller]
    pub(super) fn barrier_for_all() {
        if is_weakened("a barrier for all threads") {
            return;
        }
        INTERRUPTED.set(true);
        HAD_BARRIER.with_borrow_mut(|had| had.insert(current().id()));
        loom::sync::atomic::fence(Ordering::SeqCst);
    }

    /// A thread that was interrupted executes its barrier before its next operation.
    fn has_barrier() {
        if INTERRUPTED.get() && HAD_BARRIER.with_borrow_mut(|had| had.insert(current().id())) {
            loom::sync::atomic::fence(Ordering::SeqCst);
        }
    }

    #[track_caller]
    fn is_weakened(what: &str) -> bool {
        let place = Location::caller();
        let file = place.file().rsplit('/').next().unwrap_or_default();
        let place = format!("{file}:{}:{}", place.line(), place.column());
        let is_weakened = WEAKENED.with_borrow(|weakened| weakened.as_ref() == Some(&place));
        MET.with_borrow_mut(|met| met.insert(place, what.to_owned()));
        is_weakened
    }

    #[track_caller]
    fn weaken(ordering: Ordering) -> Ordering {
        has_barrier();
        match ordering {
            Ordering::Relaxed => ordering,
            _ if is_weakened(&format!("{ordering:?}")) => Ordering::Relaxed,
            _ => ordering,
        }
    }

    #[track_caller]
    pub(super) fn fence(ordering: Ordering) {
        has_barrier();
        if !is_weakened("a fence") {
            loom::sync::atomic::fence(ordering);
        }
    }

    /// Together with the watcher's barrier it is as good as a full barrier on both sides. After that barrier it orders
    /// nothing.
    #[track_caller]
    pub(super) fn light_barrier() {
        has_barrier();
        if !is_weakened("a light barrier") && !INTERRUPTED.get() {
            loom::sync::atomic::fence(Ordering::SeqCst);
        }
    }

    macro_rules! atomic {
        ($name:ident, $value:ty) => {
            #[derive(Debug)]
            pub(super) struct $name(loom::sync::atomic::$name);

            impl $name {
                pub(super) fn new(value: $value) -> Self {
                    Self(loom::sync::atomic::$name::new(value))
                }

                #[track_caller]
                pub(super) fn load(&self, ordering: Ordering) -> $value {
                    self.0.load(weaken(ordering))
                }

                #[track_caller]
                pub(super) fn store(&self, value: $value, ordering: Ordering) {
                    self.0.store(value, weaken(ordering));
                }
            }
        };
    }

    atomic!(AtomicBool, bool);
    atomic!(AtomicU64, u64);
}
#[path = "../src/session/handshake.rs"]
mod handshake;
#[path = "../src/session/tally.rs"]
mod tally;

use std::panic::{self, catch_unwind};

use atomics::{AtomicBool, MET, Ordering, WEAKENED, barrier_for_all};
use handshake::Handshake;
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;
use tally::Tally;

/// Both passes over two threads' tallies, in the order given.
fn alive(tallies: &[Tally; 2]) -> u64 {
    let finished: u64 = tallies.iter().map(Tally::finished).sum();
    let started: u64 = tallies.iter().map(Tally::started).sum();
    started.checked_sub(finished).expect("no session ends that did not start")
}

/// One thread spawns a session that spawns another one; both end on a second thread. While either of
/// them is alive, the count is not zero.
fn a_count_meets_a_session_and_its_child() {
    let tallies = Arc::new([Tally::new(), Tally::new()]);
    // Set before the last session ends: a count of zero that does not see it is wrong.
    let all_end = Arc::new(loom::sync::atomic::AtomicBool::new(false));
    tallies[0].count_start();
    let worker = {
        let (tallies, all_end) = (Arc::clone(&tallies), Arc::clone(&all_end));
        thread::spawn(move || {
            tallies[1].count_start();
            tallies[1].count_finish();
            all_end.store(true, Ordering::Relaxed);
            tallies[1].count_finish();
        })
    };
    if alive(&tallies) == 0 {
        assert!(all_end.load(Ordering::Relaxed), "counted zero while a session was alive");
    }
    worker.join().unwrap();
    assert_eq!(alive(&tallies), 0);
}

/// A session that moves: spawned on one thread, it ends on another, and a third one counts.
fn a_count_meets_a_session_that_ends_elsewhere() {
    let tallies = Arc::new([Tally::new(), Tally::new()]);
    let spawned = Arc::new(loom::sync::atomic::AtomicBool::new(false));
    let spawner = {
        let (tallies, spawned) = (Arc::clone(&tallies), Arc::clone(&spawned));
        thread::spawn(move || {
            tallies[0].count_start();
            spawned.store(true, Ordering::Release);
        })
    };
    let worker = {
        let (tallies, spawned) = (Arc::clone(&tallies), Arc::clone(&spawned));
        thread::spawn(move || {
            if spawned.load(Ordering::Acquire) {
                tallies[1].count_finish();
            }
        })
    };
    assert!(alive(&tallies) <= 1);
    spawner.join().unwrap();
    worker.join().unwrap();
}

/// A service spawns a session and ends, and the session ends elsewhere. A count of zero that was begun
/// after the end of the service was known has missed nothing.
fn a_count_follows_the_end_of_a_service() {
    let tallies = Arc::new([Tally::new(), Tally::new()]);
    let flag = || Arc::new(loom::sync::atomic::AtomicBool::new(false));
    let [spawned, service_is_over, session_ends] = [(); 3].map(|()| flag());
    let worker = {
        let (tallies, spawned, session_ends) = (Arc::clone(&tallies), Arc::clone(&spawned), Arc::clone(&session_ends));
        thread::spawn(move || {
            if spawned.load(Ordering::Acquire) {
                session_ends.store(true, Ordering::Relaxed);
                tallies[1].count_finish();
            }
        })
    };
    let service = {
        let (tallies, service_is_over) = (Arc::clone(&tallies), Arc::clone(&service_is_over));
        thread::spawn(move || {
            tallies[0].count_start();
            spawned.store(true, Ordering::Release);
            service_is_over.store(true, Ordering::Release);
        })
    };
    if service_is_over.load(Ordering::Acquire) && alive(&tallies) == 0 {
        assert!(session_ends.load(Ordering::Relaxed), "counted zero before the session had ended");
    }
    service.join().unwrap();
    worker.join().unwrap();
}

/// A session leaves its slot, and its task is freed, while a watcher begins to watch, wakes it, and watches
/// no longer. Loom fails where the task is freed while it may still be woken.
fn a_wake_meets_a_session_that_leaves() {
    let handshake = Arc::new(Handshake::new(false));
    let gate = Arc::new(Mutex::new(()));
    let occupied = Arc::new(loom::sync::atomic::AtomicBool::new(true));
    let task = Arc::new(UnsafeCell::new(()));
    let leaver = {
        let (handshake, gate) = (Arc::clone(&handshake), Arc::clone(&gate));
        let (occupied, task) = (Arc::clone(&occupied), Arc::clone(&task));
        thread::spawn(move || {
            let clear = || occupied.store(false, Ordering::Relaxed);
            handshake.clear(clear, || {
                let _gate = gate.lock().unwrap();
                clear();
            });
            task.with_mut(|_freed| {});
        })
    };
    Handshake::watch_all(std::iter::once(&*handshake), barrier_for_all);
    {
        let _gate = gate.lock().unwrap();
        if occupied.load(Ordering::Acquire) {
            task.with(|_woken| {});
        }
    }
    Handshake::unwatch_all(std::iter::once(&*handshake));
    leaver.join().unwrap();
}

/// A session reads whether its stop was requested, and waits, while the stop is requested.
fn a_stop_request_meets_a_session_that_begins_to_wait() {
    let handshake = Arc::new(Handshake::new(false));
    let requested = Arc::new(loom::sync::atomic::AtomicBool::new(false));
    let entered = Arc::new(AtomicBool::new(false));
    let session = {
        let (handshake, requested, entered) = (Arc::clone(&handshake), Arc::clone(&requested), Arc::clone(&entered));
        thread::spawn(move || {
            let noticed = requested.load(Ordering::Relaxed);
            entered.store(true, Ordering::Relaxed);
            noticed || (handshake.may_have_been_missed() && requested.load(Ordering::Relaxed))
        })
    };
    Handshake::watch_all(std::iter::once(&*handshake), barrier_for_all);
    requested.store(true, Ordering::Relaxed);
    Handshake::order_before_scan();
    let woken = entered.load(Ordering::Relaxed);
    let noticed = session.join().unwrap();
    assert!(woken || noticed, "a session waits although its stop was requested");
}

const MODELS: [fn(); 5] = [
    a_count_meets_a_session_and_its_child,
    a_count_meets_a_session_that_ends_elsewhere,
    a_count_follows_the_end_of_a_service,
    a_wake_meets_a_session_that_leaves,
    a_stop_request_meets_a_session_that_begins_to_wait,
];

fn check(model: fn()) {
    loom::model(move || {
        atomics::reset();
        model();
    });
}

#[test]
fn zero_is_not_counted_while_a_session_is_alive() {
    check(a_count_meets_a_session_and_its_child);
}

#[test]
fn a_session_that_ends_elsewhere_is_not_negative() {
    check(a_count_meets_a_session_that_ends_elsewhere);
}

#[test]
fn a_later_count_has_what_a_service_has_spawned() {
    check(a_count_follows_the_end_of_a_service);
}

#[test]
fn no_session_is_woken_after_its_task_is_freed() {
    check(a_wake_meets_a_session_that_leaves);
}

#[test]
fn no_session_misses_the_stop() {
    check(a_stop_request_meets_a_session_that_begins_to_wait);
}

/// Weakens each ordering to relaxed, and leaves each fence and barrier out, one at a time.
#[test]
fn every_ordering_is_needed() {
    MODELS.into_iter().for_each(check);
    let met = MET.take();
    assert!(met.len() >= 8, "{met:?}");
    // Each failure is expected here, and would be printed.
    panic::set_hook(Box::new(|_| {}));
    let fails = |place: &String| {
        WEAKENED.set(Some(place.clone()));
        MODELS.into_iter().any(|model| catch_unwind(|| check(model)).is_err())
    };
    let needless: Vec<_> = met.iter().filter(|(place, _)| !fails(place)).collect();
    WEAKENED.set(None);
    let _ = panic::take_hook();
    assert!(needless.is_empty(), "no model fails without {needless:?}");
}

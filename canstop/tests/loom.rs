//! Models of what the hot path relies on, run under every order that the memory model allows.
//!
//! The files under test are the crate's own, with loom's atomics in the place of std's. What needs a
//! barrier is also run without it: that the model must notice.
#![expect(dead_code, reason = "the files serve the crate, and a model needs parts of them")]

mod atomics {
    use std::cell::Cell;

    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
    pub(super) use loom::thread::yield_now;

    std::thread_local! {
        /// Does the watcher's barrier reach the other threads? Loom runs a model on one thread of std's.
        pub(super) static REACHES_ALL: Cell<bool> = const { Cell::new(true) };
    }

    /// With the watcher's, as good as a full barrier on both sides.
    pub(super) fn light_barrier() {
        if REACHES_ALL.get() {
            fence(Ordering::SeqCst);
        }
    }
}
#[path = "../src/session/handshake.rs"]
mod handshake;
#[path = "../src/session/tally.rs"]
mod tally;

use std::panic::catch_unwind;

use atomics::{AtomicBool, Ordering, fence};
use handshake::Handshake;
use loom::sync::{Arc, Mutex};
use loom::thread;
use tally::Tally;

/// Both passes over two threads' tallies, in the order given.
fn alive(tallies: &[Tally; 2]) -> u64 {
    let finished: u64 = tallies.iter().map(Tally::finished).sum();
    let started: u64 = tallies.iter().map(Tally::started).sum();
    started - finished
}

/// One thread spawns a session that spawns another one; both end on a second thread. While any of
/// them lives the count is not zero.
#[test]
fn zero_is_never_counted_while_a_session_or_its_child_lives() {
    loom::model(|| {
        let tallies = Arc::new([Tally::new(), Tally::new()]);
        // What the last session to end sets after it has: before it, a zero would be a lie.
        let all_ended = Arc::new(AtomicBool::new(false));
        tallies[0].count_start();
        let worker = {
            let (tallies, all_ended) = (Arc::clone(&tallies), Arc::clone(&all_ended));
            thread::spawn(move || {
                tallies[1].count_start();
                tallies[1].count_finish();
                all_ended.store(true, Ordering::Release);
                tallies[1].count_finish();
            })
        };
        if alive(&tallies) == 0 {
            assert!(all_ended.load(Ordering::Acquire), "counted zero while a session was alive");
        }
        worker.join().unwrap();
        assert_eq!(alive(&tallies), 0);
    });
}

/// A session that moves: spawned on one thread, it ends on another, while its sibling does the same
/// the other way round.
#[test]
fn sessions_that_end_elsewhere_are_neither_missed_nor_counted_twice() {
    loom::model(|| {
        let tallies = Arc::new([Tally::new(), Tally::new()]);
        let handed_over = Arc::new(Mutex::new(0));
        tallies[0].count_start();
        *handed_over.lock().unwrap() += 1;
        let worker = {
            let (tallies, handed_over) = (Arc::clone(&tallies), Arc::clone(&handed_over));
            thread::spawn(move || {
                *handed_over.lock().unwrap() -= 1;
                tallies[1].count_start();
                tallies[1].count_finish();
                tallies[1].count_finish();
            })
        };
        let seen = alive(&tallies);
        assert!(seen <= 2, "counted {seen} of at most two");
        worker.join().unwrap();
        assert_eq!(alive(&tallies), 0);
    });
}

/// A service spawns a session and ends, and the session ends elsewhere. Whoever knows that the service
/// is over, and then counts zero, has missed nothing.
#[test]
fn what_was_spawned_before_its_service_ended_is_in_every_later_count() {
    loom::model(|| {
        let tallies = Arc::new([Tally::new(), Tally::new()]);
        let [spawned, service_is_over, session_is_over] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
        let worker = {
            let (tallies, spawned) = (Arc::clone(&tallies), Arc::clone(&spawned));
            let session_is_over = Arc::clone(&session_is_over);
            thread::spawn(move || {
                if spawned.load(Ordering::Acquire) {
                    session_is_over.store(true, Ordering::Release);
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
            assert!(session_is_over.load(Ordering::Acquire), "counted zero before the session had ended");
        }
        service.join().unwrap();
        worker.join().unwrap();
    });
}

/// A session leaves its slot while somebody begins to wake. `freed` is what must not have come before
/// the wake.
fn a_waker_meets_one_that_leaves() {
    let handshake = Arc::new(Handshake::new(false));
    let gate = Arc::new(Mutex::new(()));
    let occupied = Arc::new(AtomicBool::new(true));
    let freed = Arc::new(AtomicBool::new(false));
    let leaver = {
        let (handshake, gate) = (Arc::clone(&handshake), Arc::clone(&gate));
        let (occupied, freed) = (Arc::clone(&occupied), Arc::clone(&freed));
        thread::spawn(move || {
            let clear = || occupied.store(false, Ordering::Relaxed);
            handshake.clear(clear, || {
                let _gate = gate.lock().unwrap();
                clear();
            });
            freed.store(true, Ordering::Release);
        })
    };
    Handshake::watch_all(std::iter::once(&*handshake), || fence(Ordering::SeqCst));
    {
        let _gate = gate.lock().unwrap();
        if occupied.load(Ordering::Acquire) {
            assert!(!freed.load(Ordering::Acquire), "a session was woken after it had left");
        }
    }
    leaver.join().unwrap();
}

#[test]
fn no_session_is_woken_after_it_has_left() {
    loom::model(a_waker_meets_one_that_leaves);
}

#[test]
fn a_barrier_that_does_not_reach_those_that_leave_is_noticed() {
    assert!(fails_without_barrier(a_waker_meets_one_that_leaves), "the model cannot tell a barrier from none");
}

/// A session looks whether it was told to stop, and waits, while somebody begins to tell it so.
fn a_teller_meets_one_that_begins_to_wait() {
    let handshake = Arc::new(Handshake::new(false));
    let told = Arc::new(AtomicBool::new(false));
    let entered = Arc::new(AtomicBool::new(false));
    let session = {
        let (handshake, told, entered) = (Arc::clone(&handshake), Arc::clone(&told), Arc::clone(&entered));
        thread::spawn(move || {
            let heard = told.load(Ordering::Relaxed);
            entered.store(true, Ordering::Release);
            heard || (handshake.may_have_been_missed() && told.load(Ordering::Relaxed))
        })
    };
    Handshake::watch_all(std::iter::once(&*handshake), || fence(Ordering::SeqCst));
    told.store(true, Ordering::Release);
    Handshake::say_before_looking();
    let woken = entered.load(Ordering::Acquire);
    let heard = session.join().unwrap();
    assert!(woken || heard, "a session waits for what was said already");
}

#[test]
fn no_session_sleeps_through_the_stop() {
    loom::model(a_teller_meets_one_that_begins_to_wait);
}

#[test]
fn a_barrier_that_does_not_reach_those_that_begin_to_wait_is_noticed() {
    assert!(fails_without_barrier(a_teller_meets_one_that_begins_to_wait), "the model cannot tell a barrier from none");
}

fn fails_without_barrier(model: fn()) -> bool {
    atomics::REACHES_ALL.set(false);
    let failed = catch_unwind(|| loom::model(model)).is_err();
    atomics::REACHES_ALL.set(true);
    failed
}

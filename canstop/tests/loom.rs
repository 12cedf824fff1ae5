//! Models of what the hot path relies on, run under every order that the memory model allows.
//!
//! The files under test are the crate's own, with loom's atomics in the place of std's. The
//! handshake is also run without its barrier: that the model must notice.
#![expect(dead_code, reason = "the files serve the crate, and a model needs parts of them")]

mod atomics {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
    pub(super) use loom::thread::yield_now;

    /// Loom has no compiler that reorders.
    pub(super) fn compiler_fence(_: Ordering) {}
}
#[path = "../src/session/handshake.rs"]
mod handshake;
#[path = "../src/session/tally.rs"]
mod tally;

use std::panic::catch_unwind;

use atomics::{AtomicBool, AtomicUsize, Ordering, fence};
use handshake::{Barrier, Clearing, Watchers};
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

/// A slot that is cleared while it is being used is what the handshake excludes. `in_use` says that
/// the watcher trusts it.
fn watcher_meets_leaver(barrier: Barrier, watchers_barrier: fn()) {
    loom::model(move || {
        let watchers = Arc::new(Watchers(AtomicUsize::new(0)));
        let clearing = Arc::new(Clearing::new());
        let gate = Arc::new(Mutex::new(()));
        let occupied = Arc::new(AtomicBool::new(true));
        let freed = Arc::new(AtomicBool::new(false));
        let leaver = {
            let (watchers, clearing, gate) = (Arc::clone(&watchers), Arc::clone(&clearing), Arc::clone(&gate));
            let (occupied, freed) = (Arc::clone(&occupied), Arc::clone(&freed));
            thread::spawn(move || {
                let clear = || occupied.store(false, Ordering::Relaxed);
                clearing.clear(&watchers, barrier, clear, || {
                    let _gate = gate.lock().unwrap();
                    clear();
                });
                freed.store(true, Ordering::Release);
            })
        };
        watchers.begin(watchers_barrier, || vec![&*clearing]);
        {
            let _gate = gate.lock().unwrap();
            if occupied.load(Ordering::Acquire) {
                assert!(!freed.load(Ordering::Acquire), "a session was woken after it had left");
            }
        }
        leaver.join().unwrap();
    });
}

#[test]
fn no_session_is_woken_after_it_has_left() {
    watcher_meets_leaver(Barrier::Own, || fence(Ordering::SeqCst));
}

#[test]
fn the_model_notices_a_missing_barrier() {
    // Without a barrier on the leaving side, and none that the watcher brings for it.
    let found = catch_unwind(|| watcher_meets_leaver(Barrier::Watcher, || fence(Ordering::SeqCst)));
    assert!(found.is_err(), "the model cannot tell a barrier from none");
}

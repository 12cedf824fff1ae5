//! Flush hooks, in real processes.

use std::time::Duration;

use crate::{PROMPTLY, terminate};

#[test]
fn a_hook_flushes_the_last_words_of_every_session_by_the_runtime() {
    let finished = terminate(start!("closing", "exports"));
    finished.exited(0).within(PROMPTLY).printed("other");
    finished.printed_in_order(&["teardown", "exported 100"]);
    finished.ended_with(&["100 sessions drained, 0 abandoned, exit code 0"]);
}

#[test]
fn a_hook_that_hangs_is_named_and_costs_its_own_time_only() {
    let finished = terminate(start!("closing", "hangs"));
    // A fifth of two seconds.
    finished.exited(124).within(Duration::from_millis(400) + PROMPTLY);
    finished.logged(&["abandoned: flush hook `stuck`", "blocking a thread for"]);
}

#[test]
fn what_a_hook_spawns_is_waited_for() {
    let finished = terminate(start!("closing", "spawns"));
    finished.exited(0).within(PROMPTLY).printed("the session of a hook has ended");
}

#[test]
fn what_a_hook_leaves_behind_is_named() {
    let finished = terminate(start!("closing", "leaves"));
    // A fifth of two seconds.
    finished.exited(124).within(Duration::from_millis(400) + PROMPTLY);
    finished.logged(&["abandoned: session at tests/src/bin/closing.rs"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn a_hook_that_panics_fails_the_program() {
    let finished = terminate(start!("closing", "panics"));
    finished.exited(1).within(PROMPTLY).logged(&["flush hook `broken` panicked: no connection"]);
}

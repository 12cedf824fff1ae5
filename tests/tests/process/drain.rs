//! Sessions that are in flight when the stop comes. The probes have no services: they are jobs, and when a signal
//! interrupts them they exit by it.

use std::time::Duration;

use canstop_tests::{place_of, seconds_after};

use crate::{DEADLINE, PROMPTLY, terminate};

#[test]
fn a_hundred_sessions_in_flight_at_sigterm_all_finish() {
    let finished = terminate(start!("sessions", "hundred"));
    finished.exited(143).within(DEADLINE);
    for number in 0..100 {
        finished.printed(&format!("session {number} is done"));
    }
    finished.ended_with(&["(SIGTERM)", "100 sessions drained, 0 abandoned, exit code 143"]);
}

#[test]
fn an_endless_session_is_named_with_its_place_its_function_and_its_age() {
    let finished = terminate(start!("sessions", "endless"));
    finished.exited(124).within(DEADLINE);
    let place = place_of("sessions", "spawn_session!(never_ends())");
    let row = finished.logged(&["abandoned: session", &place, " in sessions::endless,", "waiting"]);
    // It waits for the whole of the grace but the part that is kept for the teardown.
    let age = seconds_after("age", row);
    assert!((0.8..1.5).contains(&age), "{row}");
    finished.ended_with(&["0 sessions drained, 1 abandoned, exit code 124"]);
}

#[test]
fn a_session_that_is_spawned_during_the_stop_is_waited_for_like_its_parent() {
    let finished = terminate(start!("sessions", "nested"));
    finished.exited(143).within(DEADLINE);
    finished.printed("the outer session is done").printed("the inner session is done");
    finished.ended_with(&["2 sessions drained, 0 abandoned, exit code 143"]);
}

#[test]
fn a_hundred_thousand_sessions_that_wait_for_the_stop_all_finish() {
    // Whether all hear the stop is asked, not how fast a debug build on a busy machine is.
    let finished = terminate(start!("crowd", "10000", "100000"));
    finished.exited(143);
    finished.ended_with(&["100000 sessions drained, 0 abandoned, exit code 143"]);
}

#[test]
fn no_session_is_both_drained_and_abandoned() {
    // The grace is over while they end. The body of `main` may be among those left behind.
    let finished = terminate(start!("crowd", "60", "20000"));
    let last = finished.stderr.last().expect("the last line");
    let numbers: Vec<u32> = last.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    let [.., drained, abandoned] = numbers[..numbers.len() - 1] else { panic!("{finished}") };
    assert!(drained + abandoned <= 20_001, "{finished}");
}

#[test]
fn the_exit_comes_with_its_code_however_many_sessions_are_left() {
    let finished = terminate(start!("crowd", "60", "100000"));
    // A debug build may not have named all of them by then: the guard's line is the last one.
    finished.within(Duration::from_millis(60 + 250 + 200));
    let code = finished.code.expect("an exit code");
    assert!(finished.stderr.last().is_some_and(|last| last.contains(&format!("exit code {code}"))), "{finished}");
}

#[test]
fn a_raw_task_runs_as_ever_and_is_lost_at_the_stop() {
    let finished = terminate(start!("sessions", "raw"));
    finished.exited(143).within(PROMPTLY);
    finished.never_printed("the raw task is done");
    finished.ended_with(&["0 sessions drained, 0 abandoned, exit code 143"]);
}

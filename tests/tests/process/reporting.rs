//! Reporting that is disturbed costs its own lines and nothing else.

use canstop_tests::{Audience, Probe};

use crate::{DEADLINE, PROMPTLY, terminate};

#[test]
fn a_subscriber_that_panics_is_reported_once_and_gets_later_lines() {
    let finished = start!("reporting", "panicking-subscriber").finish();
    finished.exited(0).printed("after run");
    assert_eq!(finished.times_logged("the tracing subscriber panicked"), 1, "{finished}");
    finished.logged(&["canstop: stopping (shutdown requested: enough)"]);
    assert!(finished.stdout.iter().any(|line| line.contains("stopped (shutdown requested: enough)")), "{finished}");
    assert_eq!(finished.times_logged("stopped ("), 0, "{finished}");
}

#[test]
fn a_subscriber_that_filters_is_obeyed_and_nothing_comes_twice() {
    let finished = start!("reporting", "filtered").finish();
    finished.exited(1);
    assert!(finished.stderr.is_empty(), "{finished}");
    let failed = finished.stdout.iter().filter(|line| line.contains("event=\"main_failed\"")).count();
    assert_eq!(failed, 1, "{finished}");
}

#[test]
fn a_stalled_log_costs_its_own_lines_and_no_memory() {
    let finished = start!("reporting", "stalled").finish();
    finished.exited(0).printed("after run");
    let grown = finished.printed_after("grown by ").next().and_then(|rest| rest.split(' ').next()).expect("a number");
    assert!(grown.parse::<u64>().expect("a number") < 4 * 1_024, "{finished}");
    finished.logged(&["events are missing here"]);
    finished.ended_with(&["exit code 0"]);
}

#[test]
#[cfg(target_os = "linux")]
fn the_last_line_past_a_stalled_log_needs_no_other_thread() {
    let finished = start!("reporting", "stalled-without-threads").finish();
    finished.exited(0).ended_with(&["stopped (shutdown requested: enough)", "exit code 0"]);
}

#[test]
fn an_error_that_fails_to_display_is_reported_and_its_sessions_drained() {
    let finished = start!("reporting", "fails-to-display").finish();
    finished.exited(1);
    finished.logged(&["session at", "failed: (its Display failed)"]);
    finished.logged(&["main failed: (its Display failed)"]);
    finished.ended_with(&["1 sessions drained, 0 abandoned, exit code 1"]);
}

#[test]
fn a_circle_of_sources_is_cut() {
    let finished = start!("reporting", "circle").finish();
    finished.exited(1);
    let failed = finished.logged(&["canstop: main failed: round: round", "(and more sources)"]);
    assert_eq!(failed.matches("round").count(), 33, "{finished}");
}

#[test]
fn a_panic_hook_of_the_programs_own_does_not_hide_the_message() {
    let finished = start!("reporting", "own-hook").finish();
    finished.exited(0);
    finished.logged(&["service `faulty` panicked: the service's words"]);
    finished.logged(&["session at", "panicked: the session's words"]);
}

#[test]
fn a_session_under_a_hook_from_before_run_keeps_its_message() {
    let finished = start!("reporting", "own-hook-early").finish();
    finished.exited(0);
    finished.logged(&["session at", "panicked: the session's words"]);
}

#[test]
fn an_error_of_main_is_told_once() {
    let finished = start!("setup", "fails").finish();
    assert_eq!(finished.times_logged("canstop: main failed: no database"), 1, "{finished}");
}

#[test]
fn a_callback_sees_everything_up_to_the_last_line_and_one_that_panics_is_dropped() {
    let finished = start!("reporting", "observed").finish();
    finished.exited(0);
    let last = finished.stdout.last().expect("a line");
    assert_eq!(last, "observed stopped after 1 calls of the other", "{finished}");
    assert_eq!(finished.times_logged("a callback of `canstop::observe` panicked"), 1, "{finished}");
}

#[test]
fn a_session_that_watches_does_not_hold_up_the_stop() {
    let finished = terminate(start!("reporting", "watching-session"));
    finished.exited(0).within(PROMPTLY);
    finished.printed_in_order(&["watched stop_requested", "watched service_ended", "the stream ends"]);
}

#[test]
fn a_cancel_service_that_watches_sees_the_stop_request_each_time() {
    for _ in 0..20 {
        let finished = terminate(start!("reporting", "watching-service"));
        finished.exited(0).within(PROMPTLY).printed("watched the stop");
    }
}

#[test]
fn kept_values_are_dropped_after_the_last_line_the_last_one_first() {
    let finished = start!("reporting", "kept").finish();
    finished.exited(0);
    let [.., line, second, first] = &finished.stderr[..] else { panic!("{finished}") };
    assert!(line.starts_with("canstop: stopped ("), "{finished}");
    assert_eq!([second, first], ["the second is dropped", "the first is dropped"], "{finished}");
}

#[test]
fn code_after_run_runs_though_nobody_reads_stderr() {
    let probe = Probe::start_before(Audience::Stares, env!("CARGO_BIN_EXE_reporting"), &["unread-stderr"]);
    terminate(probe).exited(7).within(DEADLINE);
}

//! Threads that block forever, on both of tokio's runtimes.

use canstop_tests::{Audience, Finished, Probe, READY, Signal, place_of, seconds_after};

use crate::{DEADLINE, PROMPTLY, terminate};

/// Generates a test for each runtime from each of these functions.
macro_rules! on_each_runtime {
    ($($test:ident)*) => {
        mod multi_thread {$(
            #[test]
            fn $test() {
                super::$test("multi_thread");
            }
        )*}
        mod current_thread {$(
            #[test]
            fn $test() {
                super::$test("current_thread");
            }
        )*}
    };
}

on_each_runtime! {
    a_blocked_worker_is_named_and_delays_no_other
    blocked_workers_and_queued_sessions_are_named
    a_blocked_main_is_named
    a_blocked_service_is_named
    a_blocking_service_that_ignores_the_stop_is_named
    running_and_queued_blocking_sessions_are_named
    a_raw_blocking_task_is_not_waited_for
    a_worker_that_a_raw_task_holds_is_reported
    a_worker_that_a_raw_task_holds_is_reported_while_the_program_runs
    a_second_signal_ends_a_fully_blocked_program
}

/// What is said of workers that sessions and services do not explain.
const NO_SESSION: &str = "in a task that is no session";

/// Checks the row of a straggler that has blocked a thread since about READY, and that it is no plain task.
#[track_caller]
fn blocks(finished: &Finished, what: &[&str]) {
    let mut parts = vec!["abandoned: ", "blocking a thread for"];
    parts.extend(what);
    let row = finished.logged(&parts);
    let since = seconds_after("blocking a thread for", row);
    assert!((0.7..1.5).contains(&since), "{row}\n{finished}");
    assert_eq!(finished.times_logged(NO_SESSION), 0, "{finished}");
}

/// Checks the row of a straggler that has been queued since about READY.
#[track_caller]
fn queued_since_then(finished: &Finished, what: &[&str]) {
    let mut parts = vec!["abandoned: ", "queued: no thread was free"];
    parts.extend(what);
    let row = finished.logged(&parts);
    let age = seconds_after(if row.contains(", oldest ") { ", oldest" } else { ", age" }, row);
    assert!((0.7..1.5).contains(&age), "{row}\n{finished}");
}

fn a_blocked_worker_is_named_and_delays_no_other(flavor: &str) {
    let finished = terminate(start!("blocked", "one-worker", flavor));
    finished.exited(124).within(DEADLINE);
    let site = place_of("blocked", "spawn_session!(blocks_a_worker())");
    blocks(&finished, &["session at", &site, "blocked::one_worker"]);
    if flavor == "multi_thread" {
        finished.printed("the healthy session is done");
        finished.ended_with(&["1 sessions drained, 1 abandoned, exit code 124"]);
    }
}

fn blocked_workers_and_queued_sessions_are_named(flavor: &str) {
    let mut probe = start!("blocked", "all-workers", flavor);
    let workers = if flavor == "multi_thread" { 2 } else { 1 };
    for _ in 1..workers {
        probe.wait_for_line(READY);
    }
    let finished = terminate(probe);
    finished.exited(124).within(DEADLINE);
    let site = place_of("blocked", "spawn_session!(blocks())");
    blocks(&finished, &["session at", &site, "blocked::all_workers"]);
    queued_since_then(&finished, &["session at", &site]);
}

fn a_blocked_main_is_named(flavor: &str) {
    let finished = terminate(start!("blocked", "main", flavor));
    finished.exited(124).within(DEADLINE);
    blocks(&finished, &["body of main"]);
}

fn a_blocked_service_is_named(flavor: &str) {
    let finished = terminate(start!("blocked", "service", flavor));
    finished.exited(124).within(DEADLINE);
    blocks(&finished, &["service `stuck`", &place_of("blocked", "Service::new(")]);
}

fn a_blocking_service_that_ignores_the_stop_is_named(flavor: &str) {
    let finished = terminate(start!("blocked", "blocking-service", flavor));
    finished.exited(124).within(DEADLINE);
    blocks(&finished, &["service `stuck`", &place_of("blocked", "Service::blocking(")]);
}

fn running_and_queued_blocking_sessions_are_named(flavor: &str) {
    let finished = terminate(start!("blocked", "blocking-sessions", flavor));
    finished.exited(124).within(DEADLINE);
    let site = place_of("blocked", "spawn_blocking_session!(block)");
    blocks(&finished, &["blocking session at", &site, "blocked::blocking_sessions"]);
    queued_since_then(&finished, &["blocking session at", &site]);
    finished.ended_with(&["2 abandoned, exit code 124"]);
}

fn a_raw_blocking_task_is_not_waited_for(flavor: &str) {
    let finished = terminate(start!("blocked", "raw-blocking", flavor));
    finished.exited(143).within(PROMPTLY);
    finished.ended_with(&["0 abandoned, exit code 143"]);
}

fn a_worker_that_a_raw_task_holds_is_reported(flavor: &str) {
    let finished = terminate(start!("blocked", "raw-task", flavor));
    finished.exited(124).within(DEADLINE).logged(&["abandoned: ", "service `database`"]);
    let since = seconds_after("a worker has been in one poll for", finished.logged(&[NO_SESSION]));
    assert!((0.5..1.5).contains(&since), "{since} s\n{finished}");
}

fn a_worker_that_a_raw_task_holds_is_reported_while_the_program_runs(flavor: &str) {
    let variables = [("CANSTOP_BLOCKED", "200ms")];
    let arguments = ["raw-task", flavor];
    let mut probe = Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_blocked"), &arguments, &variables);
    probe.wait_for_line(READY);
    probe.wait_for_line("1 held");
    probe.signal(Signal::Terminate);
    probe.finish().exited(124).logged(&[NO_SESSION]);
}

fn a_second_signal_ends_a_fully_blocked_program(flavor: &str) {
    let mut probe = start!("blocked", "all-workers", flavor);
    probe.wait_for_line(READY);
    let finished = crate::signals::twice(probe, [Signal::Interrupt, Signal::Terminate]);
    finished.exited(143).within(crate::signals::AT_ONCE);
    finished.logged(&["abandoned: ", "session at", "blocked::all_workers"]);
}

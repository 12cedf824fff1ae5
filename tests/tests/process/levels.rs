//! Services with dependencies, which stop after their dependents.

use std::time::Duration;

use canstop_tests::place_of;

use crate::terminate;

/// The grace of these probes is two seconds.
const DEADLINE: Duration = Duration::from_millis(2_250);

#[test]
fn a_dependency_starts_first_and_stops_last() {
    let finished = terminate(start!("levels", "clean"));
    finished.exited(0).within(DEADLINE);
    finished.printed_in_order(&["the writer is ready", "http starts"]);
    finished.printed_in_order(&["http is stopping", "the writer is stopping", "the writer has flushed"]);
    finished.printed_in_order(&["the request is answered", "the writer is stopping"]);
    finished.ended_with(&["1 sessions drained, 0 abandoned, exit code 0"]);
}

#[test]
fn an_endless_request_does_not_use_the_writers_time() {
    let finished = terminate(start!("levels", "stuck"));
    finished.exited(124).within(DEADLINE);
    finished.printed_in_order(&["http is stopping", "the writer is stopping", "the writer has flushed"]);
    let site = place_of("levels", "spawn_session!(request())");
    finished.logged(&["abandoned: session at", &site, "of service `http`", "waiting"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn a_request_that_blocks_a_worker_does_not_use_the_writers_time() {
    let finished = terminate(start!("levels", "blocked"));
    finished.exited(124).within(DEADLINE);
    finished.printed_in_order(&["http is stopping", "the writer is stopping", "the writer has flushed"]);
    let site = place_of("levels", "spawn_session!(blocked_request())");
    finished.logged(&["abandoned: session at", &site, "of service `http`", "blocking a thread for"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn three_levels_flush_every_row_despite_a_stuck_root_session() {
    let finished = terminate(start!("three_levels"));
    finished.exited(124).within(Duration::from_millis(3_250));
    finished.printed_in_order(&["http is stopping", "the cache is stopping", "the writer is stopping"]);
    finished.printed("the writer has flushed 400 of 400 rows");
    assert_eq!(finished.times_logged("abandoned:"), 1, "{finished}");
    finished.logged(&["abandoned: session at", &place_of("three_levels", "spawn_session!(stuck())"), "waiting"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn a_failed_start_stops_the_first_level_and_skips_the_third() {
    let finished = start!("start_order").finish();
    finished.exited(1);
    finished.printed_in_order(&["db runs", "the cache runs", "the cache has stopped", "db has stopped"]);
    finished.never_printed("http runs");
    let cache = place_of("start_order", "async fn cache");
    finished.logged(&["`cache`", &cache, "was not ready within its start_timeout of 300ms"]);
    finished.ended_with(&["exit code 1"]);
}

#[test]
fn a_faulty_plan_is_refused_with_all_its_faults() {
    let finished = start!("faulty_plan").finish();
    finished.exited(1);
    finished.never_printed("a service runs");
    let at = |text| place_of("faulty_plan", text);
    finished.logged(&["3 faults in the plan"]);
    finished.logged(&["`reader`", &at("async fn reader"), "after `faulty_plan::absent`, which is not started"]);
    finished.logged(&["`other_reader`", &at("async fn other_reader"), "after `faulty_plan::absent`"]);
    finished.logged(&[
        "services wait for each other",
        "`hen`",
        "`egg`",
        &place_of("faulty_plan", "Service::new(\"egg\""),
    ]);
    // Each fault is reported once: the last line only has their number.
    assert_eq!(finished.times_logged("which is not started"), 2, "{finished}");
    assert_eq!(finished.times_logged("services wait for each other"), 1, "{finished}");
    assert_eq!(finished.times_logged("exit code 1"), 1, "{finished}");
}

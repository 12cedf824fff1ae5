//! Services that stop cleanly, fail, or never stop.

use canstop_tests::{place_of, seconds_after};

use crate::{DEADLINE, PROMPTLY, terminate};

#[test]
fn a_service_stops_when_signalled() {
    let finished = terminate(start!("services", "polite"));
    finished.exited(0).within(PROMPTLY);
    finished.printed("the service is stopping");
    finished.ended_with(&["(SIGTERM)", "0 abandoned, exit code 0"]);
}

#[test]
fn a_service_that_ignores_the_stop_is_named() {
    let finished = terminate(start!("services", "deaf"));
    finished.exited(124).within(DEADLINE);
    let row = finished.logged(&["abandoned: service `deaf` at", &place_of("services", "async fn deaf("), "waiting"]);
    assert!(seconds_after("age", row) >= 0.9, "{row}");
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn a_service_that_exceeds_its_limit_fails_the_program() {
    let finished = start!("services", "failing").finish();
    finished.exited(1);
    // Two failures are within the limit, and each is followed by a restart.
    assert_eq!(finished.times_printed("a run of the failing service"), 3, "{finished}");
    assert_eq!(finished.times_logged("it is restarted in"), 2, "{finished}");
    finished.logged(&["service `failing` failed: cannot reach the database: connection refused"]);
    finished.ended_with(&[
        "(service failed: `failing`: failed 3 times in 30s, more than its limit of 2; last error: cannot reach the",
        "0 abandoned, exit code 1",
    ]);
}

#[test]
fn a_panicked_service_restarts_and_its_second_run_is_stopped() {
    let finished = terminate(start!("services", "panicking"));
    finished.exited(0).within(PROMPTLY);
    let panic = place_of("services", "the first run's fault");
    finished.logged(&["service `panicking` panicked: the first run's fault", &panic, "it is restarted in"]);
    finished.printed("the second run is stopping");
}

#[test]
fn an_error_while_stopping_never_exits_with_0() {
    let finished = terminate(start!("services", "fails-to-flush"));
    finished.exited(1).within(PROMPTLY);
    finished.logged(&["service `fails_to_flush` failed: the disk is full"]);
    finished.ended_with(&["(SIGTERM)", "0 abandoned, exit code 1"]);
}

#[test]
fn a_shutdown_by_the_program_reports_its_reason() {
    let finished = start!("services", "asks-for-the-stop").finish();
    finished.exited(0);
    finished.printed("the service is stopping");
    finished.ended_with(&["maintenance at noon", "0 abandoned, exit code 0"]);
}

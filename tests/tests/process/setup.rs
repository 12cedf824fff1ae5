//! A `main` that is stopped during its set-up.

use crate::{DEADLINE, PROMPTLY, terminate};

const NOTHING_STARTED: &str = "the registered service runs";

#[test]
fn a_sigterm_drops_a_slow_set_up_at_once() {
    let finished = terminate(start!("setup", "slow"));
    finished.exited(0).within(PROMPTLY);
    finished.printed("the connection is closed").never_printed("set up").never_printed(NOTHING_STARTED);
    finished.ended_with(&["(SIGTERM)", "0 abandoned, exit code 0"]);
}

#[test]
fn a_main_that_has_its_lifecycle_is_given_the_grace() {
    let finished = terminate(start!("setup", "asks"));
    finished.exited(0).within(DEADLINE);
    finished.printed("main has cleaned up").never_printed(NOTHING_STARTED);
    finished.ended_with(&["(SIGTERM)", "0 abandoned, exit code 0"]);
}

#[test]
fn a_main_that_gets_its_lifecycle_just_before_the_signal_counts() {
    // Both reach the control thread at the same moment; each round is another chance to confuse their order.
    for _ in 0..20 {
        let finished = start!("setup", "asks-at-the-last-moment").finish();
        finished.exited(0);
        finished.printed("main has cleaned up");
    }
}

#[test]
fn a_main_that_started_a_service_is_given_the_grace() {
    let finished = terminate(start!("setup", "starts-a-service"));
    finished.exited(0).within(DEADLINE);
    finished.printed("main has set up").never_printed("the manual service runs").never_printed(NOTHING_STARTED);
}

#[test]
fn a_main_that_spawned_a_session_is_given_the_grace() {
    let finished = terminate(start!("setup", "starts-a-session"));
    finished.exited(0).within(DEADLINE);
    finished.printed_in_order(&["the session is done", "main has set up"]).never_printed(NOTHING_STARTED);
    finished.ended_with(&["1 sessions drained, 0 abandoned, exit code 0"]);
}

#[test]
fn a_set_up_error_is_reported_and_starts_nothing() {
    let finished = start!("setup", "fails").finish();
    finished.exited(1);
    finished.logged(&["main failed: no database"]);
    finished.never_printed(NOTHING_STARTED);
    finished.ended_with(&["(main failed: no database)", "exit code 1"]);
}

#[test]
fn a_panic_in_main_is_reported_and_starts_nothing() {
    let finished = start!("setup", "panics").finish();
    finished.exited(1);
    finished.logged(&["main failed: no configuration", &canstop_tests::place_of("setup", "panic!(\"no conf")]);
    finished.never_printed(NOTHING_STARTED);
    finished.ended_with(&["main failed: no configuration", "exit code 1"]);
}

#[test]
fn only_the_registered_service_starts_after_set_up() {
    let finished = terminate(start!("setup", "fine"));
    finished.exited(0).within(PROMPTLY);
    finished.printed("the registered service runs").never_printed("the manual service runs");
}

#[test]
fn a_program_without_services_ends_with_main() {
    let finished = start!("empty").finish();
    finished.exited(0);
    finished.printed("main is done");
    assert!(finished.stderr.is_empty(), "{finished}");
}

//! The code after `canstop::run()` in `main`.

use std::thread::sleep;
use std::time::Duration;

use canstop_tests::{READY, Signal};

use crate::{DEADLINE, PROMPTLY, terminate};

#[test]
fn run_returns_a_report_and_the_teardown_after_it_runs() {
    let finished = terminate(start!("teardown", "clean"));
    finished.exited(0).within(PROMPTLY);
    finished.printed_in_order(&["clean: true, abandoned: 0, cause: SIGTERM", "torn down"]);
    finished.ended_with(&["0 abandoned, exit code 0"]);
}

#[test]
fn the_teardown_runs_even_if_something_was_abandoned() {
    let finished = terminate(start!("teardown", "straggler"));
    finished.exited(124).within(DEADLINE);
    finished.printed_in_order(&["clean: false, abandoned: 1, cause: SIGTERM", "torn down"]);
    finished.logged(&["abandoned: session at tests/src/bin/teardown.rs", "of service `server`"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn sessions_of_the_teardown_run_where_others_of_main_were_abandoned() {
    for (scenario, sessions) in [
        ("root-straggler", &["a session of the teardown"][..]),
        ("root-group", &["a session of the teardown", "the last session"]),
    ] {
        let finished = terminate(start!("teardown", scenario));
        finished.exited(124).within(DEADLINE);
        for session in sessions {
            finished.printed(&format!("{session} has finished"));
        }
        finished.printed("torn down").ended_with(&["1 abandoned, exit code 124"]);
    }
}

#[test]
fn a_session_of_the_teardown_that_does_not_end_is_named() {
    let finished = terminate(start!("teardown", "teardown-straggler"));
    finished.exited(124).within(DEADLINE).printed("torn down");
    finished.logged(&["abandoned: session at tests/src/bin/teardown.rs"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn an_endless_teardown_is_abandoned_at_the_deadline() {
    let finished = terminate(start!("teardown", "endless-teardown"));
    finished.exited(124).within(DEADLINE);
    finished.logged(&["abandoned: body of main"]);
    finished.never_printed("torn down");
}

#[test]
fn a_second_signal_in_an_endless_teardown_names_main() {
    let mut probe = start!("teardown", "endless-teardown");
    probe.wait_for_line(READY);
    probe.signal(Signal::Terminate);
    probe.wait_for_line("tearing down");
    sleep(Duration::from_millis(200));
    probe.signal(Signal::Interrupt);
    let finished = probe.finish();
    finished.exited(130).within(DEADLINE);
    finished.logged(&["abandoned: body of main"]);
}

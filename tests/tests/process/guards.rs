//! The locals of `main` live until the stop is over.

use canstop_tests::Finished;

use crate::{PROMPTLY, terminate};

/// Asserts that the log has all of the service's lines and the last line.
#[track_caller]
fn has_the_whole_log(finished: &Finished) {
    finished.exited(0).within(PROMPTLY).printed(" INFO web serves").printed(" INFO web is done");
    let last = finished.stdout.last().map_or("", String::as_str);
    assert!(last.contains("stopped (") && last.contains("exit code 0"), "the log has no last line\n{finished}");
}

#[test]
fn a_guard_in_main_keeps_the_whole_log_in_each_of_100_runs() {
    for _ in 0..100 {
        has_the_whole_log(&terminate(start!("guards", "result")));
    }
}

#[test]
fn a_guard_lives_however_the_body_of_main_ends() {
    for scenario in ["no-value", "early-return", "return-in-a-macro"] {
        has_the_whole_log(&terminate(start!("guards", scenario)));
    }
}

#[test]
fn a_main_that_ends_in_an_error_starts_no_service() {
    for scenario in ["error", "question-mark"] {
        let finished = start!("guards", scenario).finish();
        finished.exited(1).never_printed(" INFO web serves");
    }
}

#[test]
fn main_ends_by_itself_after_a_run_in_a_helper() {
    terminate(start!("guards", "run-in-a-helper")).exited(0).printed("main ends after run");
}

#[test]
fn a_destructor_of_mains_that_panics_fails_the_program() {
    terminate(start!("guards", "destructor")).exited(1);
}

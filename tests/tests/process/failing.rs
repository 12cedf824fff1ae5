//! Sessions that return errors or panic.

use canstop_tests::place_of;

use crate::{DEADLINE, PROMPTLY, terminate};

#[test]
fn a_failed_session_is_reported_and_survived() {
    let finished = terminate(start!("failing_sessions", "survived"));
    finished.exited(143).within(PROMPTLY);
    finished.printed("main is stopping");

    let refused = place_of("failing_sessions", "\"refused\"");
    finished.logged(&["session `refused` at", &refused, "in failing_sessions::survived", "failed: refused: no route"]);

    let (site, panic) = (place_of("failing_sessions", "faulty());"), place_of("failing_sessions", "the session's own"));
    finished.logged(&["canstop: session at", &site, "panicked: the session's own fault", &panic]);

    let blocking = place_of("failing_sessions", "spawn_blocking_session!(");
    finished.logged(&["session at", &blocking, "failed: an error occurred when formatting an argument"]);
    finished.ended_with(&["0 abandoned, exit code 143"]);
}

#[test]
fn a_panic_in_an_abandoned_sessions_destructor_is_reported() {
    let finished = terminate(start!("failing_sessions", "destructor"));
    finished.exited(124).within(DEADLINE);
    let site = place_of("failing_sessions", "spawn_session!(holds_what_panics())");
    let panic = place_of("failing_sessions", "the destructor's own");
    finished.logged(&["abandoned: session at", &site]);
    finished.logged(&["session at", &site, "panicked: the destructor's own fault", &panic]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

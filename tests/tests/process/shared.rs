//! A library that spawns, shared by a program with a supervisor and one without.

use crate::terminate;

#[test]
fn a_supervised_program_waits_for_what_the_library_spawned() {
    let finished = terminate(start!("shared_supervised"));
    finished.exited(0).ended_with(&["3 sessions drained, 0 abandoned, exit code 0"]);
    for id in 1..=3 {
        finished.printed(&format!("recorded {id}"));
    }
}

#[test]
fn without_a_supervisor_the_library_spawns_plain_tasks() {
    let finished = start!("shared_plain").finish();
    finished.exited(0).printed("recorded 1").never_printed("recorded 2");
    assert_eq!(finished.stderr, [""; 0], "canstop has no part in it\n{finished}");
}

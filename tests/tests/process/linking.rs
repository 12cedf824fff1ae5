//! Which services start by themselves.

use crate::{PROMPTLY, terminate};

#[test]
fn a_linked_librarys_services_start_with_the_programs_own_and_manual_ones_do_not() {
    let finished = terminate(start!("linking"));
    finished.exited(0).within(PROMPTLY);
    finished.printed("the program's service runs").printed("the library's service runs");
    finished.never_printed("the program's manual service runs").never_printed("the library's manual service runs");
}

#[test]
fn a_program_that_names_its_services_starts_exactly_these() {
    let finished = terminate(start!("chosen"));
    finished.exited(0).within(PROMPTLY);
    finished.never_printed("the service that was not chosen runs");
}

#[test]
fn a_registered_service_that_nothing_starts_is_named_and_one_that_is_started_is_not() {
    let finished = terminate(start!("not_linked"));
    finished.exited(0).within(PROMPTLY).never_printed("the forgotten service runs");
    let line = finished.logged(&["registered services that nothing starts: ", "link their crate with `App::link`"]);
    assert!(line.contains("forgotten") && !line.contains("started"), "{line}");
}

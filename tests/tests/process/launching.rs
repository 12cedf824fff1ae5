//! An app that cannot be launched leaves nothing behind.

use crate::{PROMPTLY, terminate};

fn leaves_nothing(scenario: &str, error: &str) {
    let finished = terminate(start!("launching", scenario));
    finished.exited(0).within(PROMPTLY).logged(&["canstop: cannot start: ", error]);
    finished.printed("the control thread has ended").never_printed("main ran").never_printed("a service ran");
}

#[test]
fn a_runtime_that_cannot_be_built_ends_the_control_thread() {
    leaves_nothing("no-threads", "thread");
}

#[test]
fn a_configuration_that_panics_ends_the_control_thread() {
    leaves_nothing("panics", "the configuration is wrong");
}

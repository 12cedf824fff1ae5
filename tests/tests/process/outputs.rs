//! Stuck subscribers and pipes that are not read: the exit must not wait for them.

use canstop_tests::{Audience, Probe, READY, Signal};

use crate::signals::{AT_ONCE, twice};
use crate::{DEADLINE, PROMPTLY, terminate};

#[test]
fn a_subscriber_that_waits_for_a_lock_does_not_delay_the_exit() {
    let finished = terminate(start!("subscribers", "holds-the-lock"));
    finished.exited(124).within(DEADLINE);
}

#[test]
fn a_stuck_subscriber_does_not_delay_a_forced_exit() {
    let mut probe = start!("subscribers", "holds-the-lock");
    probe.wait_for_line(READY);
    // The report has a limited time of its own, on top of the 200 ms between the signals.
    twice(probe, [Signal::Terminate, Signal::Interrupt]).exited(130).within(PROMPTLY);
}

#[test]
fn a_stuck_subscriber_does_not_hide_the_stragglers() {
    let finished = terminate(start!("subscribers", "holds-the-lock"));
    finished.exited(124).within(DEADLINE);
    finished.logged(&["abandoned: session at tests/src/bin/subscribers.rs", "blocking a thread for"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn closed_pipes_do_not_change_the_exit() {
    let probe = Probe::start_before(Audience::Leaves, env!("CARGO_BIN_EXE_sessions"), &["endless"]);
    terminate(probe).exited(124).within(DEADLINE);
}

#[test]
fn full_pipes_do_not_delay_the_exit() {
    let probe = Probe::start_before(Audience::Stares, env!("CARGO_BIN_EXE_subscribers"), &["fills-stderr"]);
    terminate(probe).exited(124).within(DEADLINE);
}

#[test]
fn a_subscriber_gets_a_forced_exit_even_if_stderr_is_closed() {
    let mut probe = Probe::start_before(Audience::HearsStdoutOnly, env!("CARGO_BIN_EXE_subscribers"), &["well"]);
    probe.wait_for_line(READY);
    let finished = twice(probe, [Signal::Interrupt, Signal::Interrupt]);
    finished.exited(130).within(AT_ONCE);
    let last = finished.stdout.last().expect("the last line");
    assert!(last.contains("stopped (SIGINT)") && last.contains("exit code 130"), "{finished}");
}

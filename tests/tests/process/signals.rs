//! Signals, and second ones.

use std::thread::sleep;
use std::time::{Duration, Instant};

use canstop_tests::{Finished, Probe, READY, Signal};

use crate::{DEADLINE, terminate};

/// How soon after the first of two signals, 200 ms apart, a program is to be gone.
pub(crate) const AT_ONCE: Duration = Duration::from_millis(300);

/// Sends two signals with 200 ms between them: longer than a duplicate takes, shorter than the grace.
pub(crate) fn twice(mut probe: Probe, [first, second]: [Signal; 2]) -> Finished {
    probe.signal(first);
    sleep(Duration::from_millis(200));
    probe.signal(second);
    probe.finish()
}

#[test]
fn a_second_sigint_ends_the_program_at_once_with_130_and_the_report_so_far() {
    let mut probe = start!("sessions", "endless");
    probe.wait_for_line(READY);
    let finished = twice(probe, [Signal::Interrupt, Signal::Interrupt]);
    finished.exited(130).within(AT_ONCE);
    finished.logged(&["abandoned: session at tests/src/bin/sessions.rs"]);
    finished.ended_with(&["(SIGINT)", "1 abandoned, exit code 130", "forced by a second signal, SIGINT"]);
}

#[test]
fn a_second_signal_that_is_sigterm_gives_143() {
    let mut probe = start!("sessions", "endless");
    probe.wait_for_line(READY);
    let finished = twice(probe, [Signal::Interrupt, Signal::Terminate]);
    finished.exited(143).within(AT_ONCE);
    finished.ended_with(&["(SIGINT)", "exit code 143", "forced by a second signal, SIGTERM"]);
}

#[test]
fn a_forced_exit_is_told_on_stderr_also_where_a_subscriber_listens() {
    let mut probe = start!("subscribers", "well");
    probe.wait_for_line(READY);
    let finished = twice(probe, [Signal::Interrupt, Signal::Interrupt]);
    finished.exited(130).within(AT_ONCE);
    finished.logged(&["abandoned: session at tests/src/bin/subscribers.rs"]);
    finished.ended_with(&["exit code 130"]);
    let heard = |text: &str| finished.stdout.iter().any(|line| line.contains("ERROR canstop: ") && line.contains(text));
    assert!(heard("abandoned: session at") && heard("exit code 130"), "{finished}");
}

#[test]
fn what_is_not_forced_is_told_to_the_subscriber_alone() {
    let finished = terminate(start!("subscribers", "well"));
    finished.exited(124).within(DEADLINE);
    assert_eq!(finished.stderr, [""; 0], "{finished}");
    let last = finished.stdout.last().expect("the last line");
    assert!(last.contains("stopped (SIGTERM)") && last.contains("1 abandoned, exit code 124"), "{finished}");
}

#[test]
fn two_sigterms_thirty_milliseconds_apart_are_one() {
    // On a machine that makes more of the pause it is another scenario.
    let finished = (0..10).find_map(|_| {
        let mut probe = start!("sessions", "hundred");
        probe.wait_for_line(READY);
        let first = Instant::now();
        probe.signal(Signal::Terminate);
        sleep(Duration::from_millis(30));
        probe.signal(Signal::Terminate);
        let apart = first.elapsed();
        let finished = probe.finish();
        (apart < Duration::from_millis(60)).then_some(finished)
    });
    let finished = finished.expect("a machine that can pause for 30 ms");
    finished.exited(143).within(DEADLINE);
    finished.logged(&["SIGTERM while stopping"]);
    finished.ended_with(&["(SIGTERM)", "100 sessions drained, 0 abandoned, exit code 143"]);
}

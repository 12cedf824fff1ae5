//! Whatever waits for the stop hears it, at the right time and on the right thread.

use crate::{DEADLINE, terminate};

#[test]
fn draining_begins_at_the_request_and_stopping_after_the_delay() {
    let finished = terminate(start!("hearing", "draining"));
    finished.exited(0);
    finished.printed_in_order(&[
        "at first draining false, stopping false",
        "at the request draining true, stopping false",
        "at the stop draining true, stopping true",
    ]);
}

#[test]
fn a_service_that_is_asked_to_stop_sees_the_drain_delay_over() {
    let finished = terminate(start!("hearing", "phases"));
    finished.exited(0);
    let phases: Vec<_> = finished.printed_after("asked to stop in the phase ").collect();
    assert_eq!(phases, ["stopping"; 300]);
}

#[test]
fn a_callback_wakes_a_service_that_blocks_in_recv() {
    let finished = terminate(start!("hearing", "blocking"));
    finished.exited(0).within(DEADLINE).printed("the channel is closed");
}

#[test]
fn sessions_of_another_runtime_hear_while_every_worker_is_blocked() {
    let finished = terminate(start!("hearing", "elsewhere"));
    finished.exited(0).printed("all of the other runtime have heard");
    finished.ended_with(&["6001 sessions drained, 0 abandoned, exit code 0"]);
}

#[test]
fn no_waker_of_the_user_runs_on_the_control_thread() {
    let finished = terminate(start!("hearing", "wakers"));
    finished.exited(0);
    for what in ["the service", "the token", "stopping", "draining", "the events"] {
        let words = format!("{what} was woken on ");
        let threads: Vec<_> = finished.printed_after(&words).collect();
        assert!(!threads.is_empty() && !threads.contains(&"canstop"), "{what} on {threads:?}: {finished}");
    }
}

//! Restarts: their pauses, and which services restart together.

use canstop_tests::seconds_after;

use crate::{PROMPTLY, terminate};

#[test]
fn a_flapping_service_delays_no_restart_of_another() {
    let finished = start!("restarts", "flapping").finish();
    finished.exited(0);
    let late = finished.printed_after("late by ");
    let mut late: Vec<u64> = late.map(|late| late.trim_end_matches(" us").parse().expect("a number")).collect();
    assert_eq!(late.len(), 6, "{finished}");
    // The median, because one busy moment of the machine is not the flapping service's effect.
    late.sort_unstable();
    assert!(late[3] <= 50_000, "{late:?}\n{finished}");
}

#[test]
fn a_stop_does_not_wait_for_a_backoff() {
    let finished = terminate(start!("restarts", "backs-off"));
    finished.exited(0).within(PROMPTLY);
    finished.ended_with(&["0 abandoned, exit code 0"]);
    let last = finished.logged(&["canstop: stopped ("]);
    assert!(seconds_after(") in ", last) < 0.05, "{finished}");
}

#[test]
fn bound_services_restart_in_order_and_later_ones_keep_running() {
    let finished = start!("restarts", "bound").finish();
    finished.exited(0);
    finished.printed_in_order(&["db starts", "cache starts", "http starts"]);
    finished.printed_in_order(&["http starts", "cache is stopping", "db is stopping", "db starts", "cache starts"]);
    finished.printed("the database is ready again, restarts: 1");
    finished.printed_in_order(&["db starts", "db starts", "http is stopping", "cache is stopping", "db is stopping"]);
    assert_eq!(finished.times_printed("http starts"), 1, "{finished}");
}

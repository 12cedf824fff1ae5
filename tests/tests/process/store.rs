//! Sessions that may be dropped without blame, and sessions that have a label.

use canstop_tests::place_of;

use crate::{DEADLINE, terminate};

#[test]
fn a_client_that_does_not_read_is_cancelled_without_blame() {
    let finished = terminate(start!("store", "cancelled"));
    finished.exited(0).within(DEADLINE);
    finished.ended_with(&["0 sessions drained, 1 cancelled, 0 abandoned, exit code 0"]);
}

#[test]
fn stragglers_and_the_status_show_labels() {
    let finished = terminate(start!("store", "labelled"));
    finished.exited(124);
    let site = place_of("store", "spawn_session!(\"sync\"");
    for (rows, customer) in [("2 x ", 7), ("", 8)] {
        let row = format!(
            "abandoned: {rows}session `sync` [customer {customer}] at {site} in store::store of service `store`, "
        );
        assert_eq!(finished.times_logged(&row), 1, "{finished}");
    }
    let site = place_of("store", "spawn_blocking_session!(label");
    finished.logged(&["abandoned: blocking session [HASH OF A FILE]", &site, "blocking a thread for "]);
    let status: Vec<_> = finished.printed_after("  2 x session `sync` [customer 7] at ").collect();
    assert_eq!(status.len(), 1, "{finished}");
}

//! A program in which everything is used at once.

use crate::terminate;

fn stops_well(scenario: &str) {
    let finished = terminate(start!("everything", scenario));
    finished.exited(0).ended_with(&["1 cancelled, 0 abandoned, exit code 0"]);
    for line in [
        "by_hand_only has Ready",
        "metrics: true",
        "the callback is called",
        "the events end by themselves: true",
        "flushed 1 records",
        "observed the end: Clean",
        "the kept value is dropped",
    ] {
        finished.printed(line);
    }
}

#[test]
fn everything_at_once_stops_well() {
    stops_well("attributes");
}

#[test]
fn everything_at_once_stops_well_without_attributes_on_main() {
    stops_well("by-hand");
}

//! A long wait and many stragglers.

use std::time::Duration;

use canstop_tests::{place_of, seconds_after};

use crate::terminate;

#[test]
fn a_stop_reports_its_waits_names_twenty_and_drops_all() {
    let finished = terminate(start!("stragglers"));
    finished.exited(124).within(Duration::from_millis(3_250));

    let waits: Vec<_> = finished.stderr.iter().filter(|line| line.contains("waiting for 25 sessions")).collect();
    assert_eq!(waits.len(), 2, "{finished}");
    for (line, seconds_left) in waits.into_iter().zip([2.0, 1.0]) {
        let left = seconds_after("sessions,", line);
        assert!((left - seconds_left).abs() < 0.3, "{line}\n{finished}");
    }

    let site = place_of("stragglers", "endless!(1 2 3");
    assert_eq!(finished.times_logged(&format!("abandoned: session at {site}")), 20, "{finished}");
    finished.logged(&["abandoned: and 5 more rows"]);
    for number in 1..=25 {
        finished.printed(&format!("session {number} is dropped"));
    }
    finished.ended_with(&["0 sessions drained, 25 abandoned, exit code 124"]);
}

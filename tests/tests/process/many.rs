//! What very many children cost, in real processes.

use std::time::Duration;

use canstop_tests::Finished;

use crate::terminate;

/// The control thread's CPU time for the start and the stop of 10,000 children, at most. Unoptimized code is
/// allowed three times as much.
const CPU_MS: u64 = if cfg!(debug_assertions) { 3_000 } else { 1_000 };
/// The memory that children may cost which are gone: a few, if it were a thing kept for each.
const GROWTH_KIB: u64 = 4 * 1_024;

#[test]
fn ten_thousand_children_start_and_stop_within_their_cpu_time() {
    let finished = terminate(start!("many_children", "together", "10000"));
    finished.exited(0);
    finished.ended_with(&["0 abandoned, exit code 0"]);
    let spent = number_after("control thread: ", &finished);
    assert!(spent <= CPU_MS, "the control thread has used {spent} ms");
}

/// `CANSTOP_CHILDREN` plays it with more of them.
#[test]
fn children_that_are_gone_cost_no_memory() {
    let children = std::env::var("CANSTOP_CHILDREN").unwrap_or_else(|_| "20000".to_owned());
    let all = children.parse::<u64>().expect("a number");
    let probe = start!("many_children", "churn", &children);
    let finished = probe.patiently(Duration::from_secs(20 + all / 1_000)).finish();
    finished.exited(0);
    let grown = number_after("grown by ", &finished);
    assert!(grown <= GROWTH_KIB, "{children} children have cost {grown} KiB");
    let ended = number_after("ended before ", &finished);
    let listed = number_after("listed ", &finished);
    assert_eq!(listed + ended, all + 1, "each is in the report once, listed or counted; one is the parent");
}

/// The number that follows some words at the start of a line.
fn number_after(words: &str, finished: &Finished) -> u64 {
    let line = finished.stdout.iter().find_map(|line| line.strip_prefix(words)).expect("it prints that");
    let digits: String = line.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number follows")
}

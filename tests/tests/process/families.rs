//! Child services: they stop before their parent, and are named by their full path.

use crate::{DEADLINE, terminate};

#[test]
fn the_innermost_child_stops_first() {
    let finished = terminate(start!("families", "polite"));
    finished.exited(0).within(DEADLINE);
    finished.printed_in_order(&["the drawer is stopping", "the till is stopping", "the shop is stopping"]);
}

#[test]
fn a_stuck_grandchild_is_named_and_leaves_time_to_its_parents() {
    let finished = terminate(start!("families", "stuck"));
    finished.exited(124).within(DEADLINE);
    finished.printed_in_order(&["the till is stopping", "the shop is stopping"]);
    finished.logged(&["abandoned: service `shop/till/drawer`"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn a_restarted_parent_waits_for_its_children_and_restarts_them() {
    let finished = start!("families", "restart").finish();
    finished.exited(0);
    let stopping = ["the drawer is stopping", "the till is stopping", "the shop is stopping"];
    finished.printed_in_order(
        &[&stopping[..], &["the shop is open again", "restarts of the drawer: 1"], &stopping].concat(),
    );
}

//! Children: they stop before their parent, and are named by their whole path.

use crate::{DEADLINE, terminate};

#[test]
fn the_innermost_stops_first() {
    let finished = terminate(start!("families", "polite"));
    finished.exited(0).within(DEADLINE);
    finished.printed_in_order(&["the drawer is told", "the till is told", "the shop is told"]);
}

#[test]
fn a_stuck_grandchild_is_named_by_its_path_and_leaves_its_family_time() {
    let finished = terminate(start!("families", "stuck"));
    finished.exited(124).within(DEADLINE);
    finished.printed_in_order(&["the till is told", "the shop is told"]);
    finished.said(&["abandoned: service `shop/till/drawer`"]);
    finished.ended_with(&["1 abandoned, exit code 124"]);
}

#[test]
fn a_parent_begins_its_new_life_when_its_children_are_gone_and_starts_them_anew() {
    let finished = start!("families", "restart").finish();
    finished.exited(0);
    let told = ["the drawer is told", "the till is told", "the shop is told"];
    finished.printed_in_order(&[&told[..], &["the shop is open again", "restarts of the drawer: 1"], &told].concat());
}

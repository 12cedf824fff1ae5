//! Children: each ends with the run that started it, and before it.

use super::super::build::{
    Options, TERMINATE, added, allowance, at, ended, failed, ms, restart, service, sessions_of, stop,
};
use super::super::harness::{Watched, deeds, events};
use super::{cause, is_over, limit_exceeded, outcome, running, start, starts, stop_by};
use crate::machine::action::{Abandoned, Action};
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::spec::ServiceSpec;
use crate::machine::stage::ServiceOutcome;

/// A child of the first run of service 0.
fn child(name: &str, after: &[&str]) -> ServiceSpec {
    service(name, after).child_of(0, 1)
}

/// A shop with a database and a till that needs it, and a street outside.
fn shop() -> Watched {
    let mut program = running([service("shop", &[]), service("street", &["shop"])]);
    let actions = program.all([added(child("shop/db", &[])), added(child("shop/till", &["db"]))]);
    assert_eq!(starts(&actions), [start(2, 1), start(3, 1)]);
    program
}

#[test]
fn children_stop_before_their_parent_and_in_their_own_order() {
    let mut program = shop();
    assert_eq!(stop_by(&program.handle(TERMINATE)), [1]);
    assert_eq!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [3], "the till needs the database");
    assert_eq!(stop_by(&program.handle(ended(3, 1, ExitReason::Done))), [2]);
    assert_eq!(stop_by(&program.handle(ended(2, 1, ExitReason::Done))), [0]);
    program.all([ended(0, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert!(is_over(&program));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn children_end_with_their_parent_and_the_program_goes_on() {
    let mut program = shop();
    assert_eq!(stop_by(&program.handle(ended(0, 1, ExitReason::Done))), [3]);
    program.all([ended(3, 1, ExitReason::Done), ended(2, 1, ExitReason::Done)]);
    assert_eq!(
        (outcome(&program, 2), outcome(&program, 3)),
        (Some(ServiceOutcome::Stopped), Some(ServiceOutcome::Stopped))
    );
    assert!(program.state.services()[1].is_running());
}

#[test]
fn a_parents_next_run_waits_for_the_children_of_the_last() {
    let mut program = shop();
    program.handle(ended(0, 1, failed()));
    assert_eq!(starts(&program.pass(ms(500))), [], "its pause is over, but its children are not");
    program.handle(ended(3, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(ended(2, 1, ExitReason::Done))), [start(0, 2)]);
    // The names of ended children are free.
    let db = added(service("shop/db", &[]).child_of(0, 2));
    assert_eq!(starts(&program.handle(db)), [start(2, 2)]);
}

#[test]
fn a_restart_of_the_parent_stops_its_children_first() {
    let mut program = shop();
    assert_eq!(stop_by(&program.handle(restart(0))), [3], "the street is only after the shop");
    assert_eq!(stop_by(&program.handle(ended(3, 1, ExitReason::Done))), [2]);
    assert_eq!(stop_by(&program.handle(ended(2, 1, ExitReason::Done))), [0]);
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), [start(0, 2)]);
    assert_eq!(program.state.services()[1].run, RunId(1));
}

#[test]
fn an_error_of_a_child_in_its_parents_restart_does_not_count() {
    let mut program = shop();
    program.handle(restart(0));
    program.all([ended(3, 1, failed()), ended(2, 1, ExitReason::Done), ended(0, 1, ExitReason::Done)]);
    assert!(!program.oracle.is_stopping());
    program.handle(TERMINATE);
    program.all([ended(1, 1, ExitReason::Done), ended(0, 2, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_child_has_a_restart_policy_of_its_own() {
    let mut program = shop();
    program.handle(ended(3, 1, failed()));
    assert_eq!(starts(&program.pass(ms(200))), [start(3, 2)]);
    let actions = program.handle(ended(3, 2, failed()));
    let failed = limit_exceeded("shop/till", "disk full");
    assert_eq!(cause(&actions), Some(&failed));
}

#[test]
fn a_child_may_be_stopped_alone() {
    let mut program = shop();
    assert_eq!(stop_by(&program.handle(stop(2))), [3]);
    assert_eq!(stop_by(&program.handle(ended(3, 1, ExitReason::Done))), [2]);
    program.handle(ended(2, 1, ExitReason::Done));
    assert!(program.state.services()[0].is_running());
}

#[test]
fn a_child_added_after_its_parents_run_never_starts() {
    let mut program = running([service("shop", &[]), service("street", &[])]);
    program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(added(child("shop/db", &[])))), []);
    assert_eq!(outcome(&program, 2), Some(ServiceOutcome::NeverStarted));
}

#[test]
fn a_child_that_names_a_service_out_of_sight_is_refused() {
    let mut program = shop();
    let actions = program.handle(added(child("shop/printer", &["ink"])));
    let [Event::ServiceRefused { fault, .. }] = events(&actions)[..] else { panic!("{actions:?}") };
    assert!(fault.contains("`shop/printer`") && fault.contains("ink"), "{fault}");
    assert_eq!(outcome(&program, 4), Some(ServiceOutcome::Refused));
    assert!(!program.oracle.is_stopping());
}

#[test]
fn a_stuck_child_does_not_use_its_parents_reserved_time() {
    let mut program = running([service("shop", &[])]);
    program.handle(added(child("shop/till", &[])));
    program.handle(TERMINATE);
    assert_eq!(stop_by(&program.pass(ms(3_899))), [0_usize; 0]);
    let actions = program.pass(ms(1));
    let till = Abandoned { services: vec![(ServiceId(1), RunId(1))], ..Abandoned::default() };
    let shop = Action::StopService { id: ServiceId(0), run: RunId(1), until: at(4_900) };
    assert_eq!(deeds(&actions), [&Action::Abandon(till), &shop], "a second, as for the service that stops last");
    program.all([ended(0, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn grandchildren_stop_first() {
    let mut program = running([service("a", &[])]);
    program.all([added(service("a/b", &[]).child_of(0, 1)), added(service("a/b/c", &[]).child_of(1, 1))]);
    assert_eq!(stop_by(&program.handle(TERMINATE)), [2]);
    assert_eq!(stop_by(&program.handle(ended(2, 1, ExitReason::Done))), [1]);
    assert_eq!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [0]);
}

#[test]
fn a_parent_is_signalled_after_its_childrens_sessions_end() {
    let mut program = running([service("shop", &[])]);
    program.handle(added(child("shop/till", &[])));
    program.handle(sessions_of(1, 3));
    program.handle(TERMINATE);
    assert_eq!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [0_usize; 0]);
    assert_eq!(stop_by(&program.handle(sessions_of(1, 0))), [0]);
}

/// Found by a random world: the steps of this grace are not whole nanoseconds.
#[test]
fn a_service_without_a_reserve_is_signalled_with_its_step() {
    let mut program = Watched::new(allowance(4_097, 0));
    let services =
        [service("db", &[]), service("cache", &[]), service("store", &["db"]), service("web", &["cache", "store"])];
    program.all(services.map(added));
    program.handle(Input::RunCalled);
    let child_of_db = |name: &str, after: &[&str]| service(name, after).child_of(0, 1);
    program.all([
        added(child_of_db("db/log", &[])),
        added(child_of_db("db/tick", &["log"]).grace(0)),
        added(service("cache/log", &[]).child_of(1, 1)),
    ]);
    program.handle(TERMINATE);
    for _ in 0..4 {
        program.pass(ms(1_000));
    }
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

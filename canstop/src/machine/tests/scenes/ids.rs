//! Which id a service gets, and services that come too late to have a place in the plan.

use super::super::build::{
    Options, TERMINATE, added, allowance, ended, failed, ms, ready, restart, service, state_dropped, stop,
};
use super::super::harness::{Watched, events};
use super::{is_over, outcome, running, start, starts, stop_by};
use crate::machine::event::Event;
use crate::machine::input::{ExitReason, Input};
use crate::machine::spec::ServiceSpec;
use crate::machine::stage::ServiceOutcome;

fn child(name: &str, after: &[&str], run: u32) -> ServiceSpec {
    service(name, after).child_of(0, run)
}

/// A program in which the service `shop` has a child `till`, and the states of services are dropped by inputs.
fn shop(drain_delay: u64) -> Watched {
    let mut program = Watched::new(allowance(5_000, drain_delay)).holding_state();
    program.all([added(service("shop", &[])), Input::RunCalled, added(child("shop/till", &[], 1))]);
    program
}

fn ids_of(program: &Watched, name: &str) -> Vec<usize> {
    let named = program.state.services().iter().enumerate().filter(|(_, service)| service.spec.name == name);
    named.map(|(id, _)| id).collect()
}

#[test]
fn a_child_of_an_earlier_run_never_starts_and_is_not_refused() {
    let mut program = running([service("shop", &[])]);
    program.handle(restart(0));
    program.all([ended(0, 1, ExitReason::Done), added(child("shop/till", &[], 2))]);
    assert!(program.state.services()[1].is_running());
    let actions = program.handle(added(child("shop/till", &[], 1)));
    assert_eq!(events(&actions), [] as [&Event; 0]);
    assert_eq!(outcome(&program, 2), Some(ServiceOutcome::NeverStarted));
    assert!(program.state.services()[1].is_running());
}

#[test]
fn a_child_added_in_a_stop_leaves_the_report_of_its_namesake() {
    let mut program = shop(0);
    program.all([ended(1, 1, ExitReason::Done), state_dropped(1, 1, None)]);
    program.handle(TERMINATE);
    program.handle(added(child("shop/till", &[], 1)));
    assert_eq!(ids_of(&program, "shop/till"), [1, 2]);
    assert_eq!(outcome(&program, 1), Some(ServiceOutcome::Done));
    assert_eq!(outcome(&program, 2), Some(ServiceOutcome::NeverStarted));
    // The next service may take the id of the one that never ran.
    program.all([state_dropped(2, 0, None), added(child("shop/till", &[], 1))]);
    assert_eq!(ids_of(&program, "shop/till"), [1, 2]);
}

#[test]
fn a_child_added_in_a_stop_does_not_delay_its_parent() {
    let mut program = shop(0);
    program.handle(TERMINATE);
    program.handle(added(child("shop/printer", &[], 1)));
    let actions = program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(stop_by(&actions), [0_usize; 0], "the state of the till is not dropped yet");
    assert_eq!(stop_by(&program.handle(state_dropped(1, 1, None))), [0], "that of the printer may still be there");
    program.all([ended(0, 1, ExitReason::Done), state_dropped(0, 1, None), Input::MainEnded(ExitReason::Done)]);
    assert!(!is_over(&program), "its state is waited for at the end");
    program.handle(state_dropped(2, 0, None));
    assert!(is_over(&program));
}

#[test]
fn a_child_added_in_the_drain_delay_does_not_delay_a_restart() {
    let mut program = shop(1_000);
    program.all([ended(1, 1, ExitReason::Done), state_dropped(1, 1, None)]);
    program.pass(ms(10));
    program.all([TERMINATE, added(child("shop/till", &[], 1)), ended(0, 1, failed())]);
    let actions = program.pass(ms(500));
    assert_eq!(starts(&actions), [start(0, 2)]);
    assert_eq!(starts(&program.handle(added(child("shop/till", &[], 2)))), [start(1, 2)]);
}

#[test]
fn a_parents_next_run_waits_for_a_child_that_waits_to_restart() {
    let mut program = running([service("shop", &[]).restart(crate::machine::restart::Restart::Always)]);
    let street = service("street", &["shop"]).bound_to(&["shop"]);
    program.all([added(child("shop/till", &[], 1)), added(street)]);
    program.handle(ended(1, 1, failed()));
    let actions = program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(stop_by(&actions), [2], "the street stops before what is inside of the shop");
    let actions = program.pass(ms(250));
    assert!(!starts(&actions).contains(&start(0, 2)), "the till has not ended: {actions:?}");
    let mut actions = program.handle(ended(2, 1, ExitReason::Done));
    actions.extend(program.handle(ended(1, 2, ExitReason::Done)));
    assert!(starts(&actions).contains(&start(0, 2)), "{actions:?}");
}

#[test]
fn a_refused_child_is_named_by_none_though_its_state_panics() {
    let mut program = shop(0);
    program.handle(added(service("ink", &[])));
    program.handle(added(child("shop/ink", &["paper"], 1).optional()));
    assert_eq!(outcome(&program, 3), Some(ServiceOutcome::Refused));
    program.handle(state_dropped(3, 0, Some("poisoned")));
    let printer = child("shop/printer", &[], 1).bound_to(&["ink"]);
    assert_eq!(starts(&program.handle(added(printer))), [start(4, 1)], "the ink outside is ready");
}

#[test]
fn a_refused_child_whose_state_panics_does_not_keep_the_program_unready() {
    let mut program = Watched::new(allowance(5_000, 0)).holding_state();
    program.all([added(service("shop", &[])), added(service("web", &[]).notify()), Input::RunCalled]);
    program.handle(added(child("shop/ink", &["paper"], 1)));
    program.all([stop(2), state_dropped(2, 0, Some("poisoned")), ready(1, 1)]);
    assert_eq!(program.state.readiness(program.now), Ok(()));
}

#[test]
fn a_refused_service_does_not_keep_a_dependent_of_its_namesake_from_restarting() {
    let mut program = running([service("db", &[]), service("web", &[]).bound_to(&["db"])]);
    program.handle(ended(0, 1, ExitReason::Done));
    let actions = program.handle(added(service("db", &["disk"])));
    assert!(matches!(events(&actions)[..], [Event::ServiceRefused { .. }]), "{actions:?}");
    program.handle(ended(1, 1, failed()));
    assert_eq!(starts(&program.pass(ms(200))), [start(1, 2)]);
}

#[test]
fn an_ended_child_that_a_sibling_names_keeps_its_id() {
    let mut program = running([service("shop", &[])]);
    program.all([added(child("shop/0", &[], 1)), added(child("shop/web", &["0"], 1))]);
    program.handle(ended(1, 1, ExitReason::Done));
    for number in 1..10 {
        let name = format!("shop/{number}");
        program.handle(added(child(&name, &[], 1)));
        let id = ids_of(&program, &name)[0];
        let run = program.state.services()[id].run.0;
        program.handle(ended(id, run, ExitReason::Done));
    }
    assert_eq!(ids_of(&program, "shop/0"), [1]);
    assert!(program.state.services().len() < 8, "the ids of the others go to later ones");
    assert!(program.state.forgotten_children() > 0);
}

#[test]
fn a_service_waiting_for_a_restart_has_time_for_its_drop() {
    // Four levels share the time for first polls.
    let mut program = Watched::new(allowance(5_000, 0)).holding_state();
    let services = [service("disk", &[]), service("db", &["disk"]), service("web", &["db"])];
    program.all(services.map(added));
    program.all([added(service("pump", &[]).bound_to(&["web"]).grace(0)), Input::RunCalled, restart(2)]);
    program.pass(ms(10));
    program.handle(TERMINATE);
    let pump = &program.state.services()[3];
    assert_eq!(pump.stop_by.map(|until| until.since(program.now)), Some(ms(5)));
}

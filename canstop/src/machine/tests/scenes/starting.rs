//! The start: the whole plan, readiness, and services that are added later.

use super::super::build::{Options, added, at, ended, failed, ms, ready, service};
use super::super::harness::events;
use super::{cause, is_over, outcome, program, running, start, starts};
use crate::machine::cause::Cause;
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::input::{ExitReason, Input};
use crate::machine::stage::ServiceOutcome;

#[test]
fn a_start_that_times_out_names_the_service_and_stops() {
    let mut program = running([service("db", &[]), service("cache", &["db"]).notify(), service("http", &["cache"])]);
    assert_eq!(program.state.wake_at(), Some(at(30_000)));
    let actions = program.pass(ms(30_000));
    let Some(Cause::StartFailed(fault)) = cause(&actions) else { panic!("{actions:?}") };
    assert_eq!(fault, "`cache` (main.rs:1) was not ready within its start_timeout of 30s");
    assert_eq!(super::stop_by(&actions), [2, 1], "one never ran, but its state is there");
    assert_eq!(super::stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [0]);
    program.all([ended(0, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(outcome(&program, 2), Some(ServiceOutcome::NeverStarted));
    assert_eq!(program.state.exit(), Exit::Failed);
}

#[test]
fn the_start_timeout_spans_attempts_and_has_the_last_error() {
    let mut program = running([service("db", &[]).notify().retry().limit(1_000)]);
    let mut actions = Vec::new();
    for run in 1.. {
        actions = program.handle(ended(0, run, failed()));
        actions.extend(program.pass(ms(1_000)));
        if cause(&actions).is_some() {
            break;
        }
    }
    let Some(Cause::StartFailed(fault)) = cause(&actions) else { panic!("{actions:?}") };
    assert!(fault.ends_with("; its last error: disk full"), "{fault}");
    assert_eq!(program.now, at(30_000));
}

#[test]
fn a_plan_with_faults_starts_nothing() {
    let mut program = program([service("a", &["b"]), service("b", &["a"]), service("c", &["missing"])]);
    let actions = program.handle(Input::RunCalled);
    let Some(Cause::StartFailed(fault)) = cause(&actions) else { panic!("{actions:?}") };
    assert!(fault.starts_with("2 faults in the plan"), "{fault}");
    assert_eq!(starts(&actions), []);
    program.handle(Input::MainEnded(ExitReason::Done));
    assert!(is_over(&program));
    assert_eq!(program.state.exit(), Exit::Failed);
}

#[test]
fn a_service_added_later_starts_when_its_needs_are_ready() {
    let mut program = running([service("db", &[]).notify()]);
    assert_eq!(starts(&program.handle(added(service("http", &["db"])))), []);
    assert_eq!(starts(&program.handle(ready(0, 1))), [start(1, 1)]);
    assert_eq!(starts(&program.handle(added(service("admin", &["db"])))), [start(2, 1)]);
}

#[test]
fn a_service_added_later_that_does_not_fit_is_refused() {
    let mut program = running([service("db", &[])]);
    let actions = program.handle(added(service("http", &["cache"])));
    let [Event::ServiceRefused { fault, .. }] = events(&actions)[..] else { panic!("{actions:?}") };
    assert!(fault.contains("`http` (main.rs:1) is to start after `cache`, which is not started"), "{fault}");
    assert_eq!(outcome(&program, 1), Some(ServiceOutcome::Refused));
    // Its name and its id are free again.
    assert_eq!(starts(&program.handle(added(service("http", &["db"])))), [start(1, 1)]);
    assert!(!program.oracle.is_stopping());
}

#[test]
fn a_service_added_during_a_stop_is_never_started() {
    let mut program = running([service("db", &[])]);
    program.handle(super::super::build::TERMINATE);
    assert_eq!(starts(&program.handle(added(service("late", &["db"])))), []);
    assert_eq!(outcome(&program, 1), Some(ServiceOutcome::NeverStarted));
}

#[test]
fn a_service_starts_when_its_need_is_done() {
    let mut program = running([service("migration", &[]).notify(), service("http", &["migration"])]);
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), [start(1, 1)]);
}

#[test]
fn a_name_that_is_taken_is_refused_while_the_program_runs() {
    let mut program = running([service("db", &[])]);
    for spec in [service("db", &[]), service("loop", &["loop"]), service("knot", &[]).bound_to(&["knot"])] {
        let actions = program.handle(added(spec));
        assert!(matches!(events(&actions)[..], [Event::ServiceRefused { .. }]), "{actions:?}");
    }
}

//! The body of `main`: before `run()`, in it and after it, and how it stops.

use super::super::build::{TERMINATE, at, ended, failed, ms, panicked, root_sessions, service, shutdown};
use super::super::harness::deeds;
use super::{cause, is_over, outcome, program, running, start, starts};
use crate::machine::action::{Abandoned, Action};
use crate::machine::cause::{Cause, Signal};
use crate::machine::exit::Exit;
use crate::machine::input::{ExitReason, Input};
use crate::machine::stage::ServiceOutcome;

#[test]
fn a_main_without_a_lifecycle_is_dropped_and_exits_clean() {
    // Services that are only registered do not mean that main listens.
    let mut program = program([service("http", &[])]);
    assert!(program.handle(TERMINATE).contains(&Action::DropMain));
    program.handle(Input::MainEnded(ExitReason::Dropped));
    assert!(is_over(&program));
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::NeverStarted));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_main_that_listens_is_signalled_and_has_the_grace() {
    let mut program = program([]);
    program.handle(Input::MainListens);
    let actions = program.handle(TERMINATE);
    assert_eq!(deeds(&actions), [&Action::WatchSessions, &Action::BeginStop, &Action::StopRoot { until: at(4_900) }]);
    program.pass(ms(4_000));
    program.handle(Input::MainEnded(ExitReason::Done));
    assert!(is_over(&program));
    assert_eq!(program.state.exit(), Exit::Interrupted(Signal::Terminate));
}

#[test]
fn a_main_with_sessions_is_not_dropped() {
    let mut program = program([]);
    program.handle(root_sessions(1));
    assert!(!program.handle(TERMINATE).contains(&Action::DropMain));
}

#[test]
fn a_main_that_does_not_end_is_abandoned_and_dropped() {
    let mut program = program([]);
    program.handle(Input::MainListens);
    program.handle(TERMINATE);
    let actions = program.pass(ms(4_900));
    let main = Abandoned { main: true, ..Abandoned::default() };
    assert_eq!(deeds(&actions), [&Action::Abandon(main), &Action::DropMain, &Action::Finish]);
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn a_main_that_returns_from_run_requests_a_stop() {
    let mut program = running([service("http", &[])]);
    let actions = program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(cause(&actions), Some(&Cause::MainReturned));
    program.handle(ended(0, 1, ExitReason::Done));
    assert!(is_over(&program));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_main_that_returns_without_run_starts_the_services() {
    let mut program = program([service("http", &[])]);
    assert_eq!(starts(&program.handle(Input::MainEnded(ExitReason::Done))), [start(0, 1)]);
    assert!(!program.oracle.is_stopping());
}

#[test]
fn a_main_that_fails_before_run_starts_nothing() {
    for reason in [failed(), panicked()] {
        let mut program = program([service("http", &[])]);
        let actions = program.handle(Input::MainEnded(reason));
        assert!(matches!(cause(&actions), Some(Cause::MainFailed(_))));
        assert_eq!(starts(&actions), []);
        assert!(is_over(&program));
        assert_eq!(program.state.exit().code(), 1);
    }
}

#[test]
fn a_failed_teardown_exits_1_and_an_endless_one_124() {
    for (reason, code) in [(Some(failed()), 1), (None, 124)] {
        let mut program = running([]);
        assert!(program.oracle.main().returned);
        match reason {
            Some(reason) => drop(program.handle(Input::MainEnded(reason))),
            None => drop(program.pass(ms(5_000))),
        }
        assert!(is_over(&program));
        assert_eq!(program.state.exit().code(), code);
    }
}

#[test]
fn a_main_that_calls_run_in_a_stop_has_its_teardown() {
    let mut program = program([]);
    program.handle(Input::MainListens);
    program.handle(shutdown());
    let until = at(5_000);
    assert_eq!(deeds(&program.handle(Input::RunCalled)), [&Action::StopRoot { until }, &Action::ReturnFromRun]);
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_service_added_before_run_never_starts_after_a_stop() {
    let mut program = program([service("db", &[])]);
    program.handle(Input::MainListens);
    program.handle(TERMINATE);
    assert_eq!(starts(&program.handle(Input::RunCalled)), []);
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::NeverStarted));
}

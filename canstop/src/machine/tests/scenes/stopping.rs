//! A stop: its steps, its exit code, and its waiting lines.

use super::super::build::{
    Options, TERMINATE, allowance, at, ended, failed, ms, root_sessions, service, sessions_of, shutdown,
};
use super::super::harness::{Watched, deeds, events};
use super::{is_over, outcome, program, running, stop_by};
use crate::machine::action::{Abandoned, Action};
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::id::{Owner, RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::stage::ServiceOutcome;

fn with_drain_delay(specs: impl IntoIterator<Item = crate::machine::spec::ServiceSpec>) -> Watched {
    let mut program = Watched::new(allowance(5_000, 2_000));
    program.all(specs.into_iter().map(super::super::build::added));
    program.handle(Input::RunCalled);
    program
}

#[test]
fn all_services_go_on_during_the_drain_delay() {
    let mut program = with_drain_delay([service("http", &[])]);
    assert_eq!(deeds(&program.handle(TERMINATE)), [&Action::WatchSessions, &Action::BeginStop]);
    assert_eq!(stop_by(&program.pass(ms(1_999))), [0_usize; 0]);
    assert_eq!(stop_by(&program.pass(ms(1))), [0]);
    assert_eq!(program.state.deadline(), Some(at(5_000)), "the delay is part of the grace");
}

#[test]
fn the_drain_delay_ends_when_nothing_is_left_to_serve() {
    let mut program = with_drain_delay([service("http", &[])]);
    program.handle(TERMINATE);
    program.handle(ended(0, 1, ExitReason::Done));
    program.handle(Input::MainEnded(ExitReason::Done));
    assert!(is_over(&program));
}

#[test]
fn a_finished_program_has_no_drain_delay() {
    let mut program = with_drain_delay([service("import", &[])]);
    program.handle(root_sessions(1));
    assert!(deeds(&program.handle(ended(0, 1, ExitReason::Done))).contains(&&Action::StopRoot { until: at(4_900) }));
}

#[test]
fn what_is_left_at_the_end_of_its_time_is_abandoned() {
    let mut program = running([service("http", &[])]);
    program.handle(sessions_of(0, 3));
    program.handle(TERMINATE);
    let actions = program.pass(ms(4_900));
    let left = Abandoned {
        main: false,
        services: vec![(ServiceId(0), RunId(1))],
        sessions: vec![(Owner::Service(ServiceId(0)), 3)],
    };
    assert!(actions.contains(&Action::Abandon(left)), "{actions:?}");
    assert_eq!(actions.last(), Some(&Action::ReturnFromRun), "there is time for the teardown");
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(program.state.exit().code(), 124);
}

#[test]
fn abandoned_is_graver_than_failed() {
    let mut program = running([service("db", &[]).limit(0), service("http", &[])]);
    program.handle(ended(0, 1, failed()));
    assert_eq!(program.state.exit(), Exit::Failed);
    program.pass(ms(5_000));
    assert!(is_over(&program));
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn a_failure_during_the_stop_gives_exit_1() {
    let mut program = running([service("writer", &[])]);
    program.handle(TERMINATE);
    program.handle(ended(0, 1, failed()));
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Failed));
    assert_eq!(program.state.exit().code(), 1);
}

#[test]
fn an_optional_service_that_fails_in_a_stop_exits_clean() {
    let mut program = running([service("metrics", &[]).optional()]);
    program.handle(TERMINATE);
    program.handle(ended(0, 1, failed()));
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_cancel_service_is_dropped_when_signalled_and_is_clean() {
    let mut program = running([service("tick", &[]).cancel()]);
    let cancel = Action::Cancel { id: ServiceId(0), run: RunId(1) };
    assert!(program.handle(TERMINATE).contains(&cancel));
    program.handle(ended(0, 1, ExitReason::Dropped));
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_waiting_line_appears_once_a_second() {
    let mut program = running([service("http", &[])]);
    program.handle(root_sessions(2));
    program.handle(shutdown());
    let actions = program.pass(ms(3_500));
    let remaining: Vec<_> = events(&actions)
        .into_iter()
        .map(|notice| match notice {
            Event::Waiting { remaining, services, sessions: 2, main: false, slowest: None } => {
                assert_eq!(services, &["http"]);
                *remaining
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(remaining, [ms(4_000), ms(3_000), ms(2_000)]);
}

#[test]
fn the_stop_ends_at_the_deadline_without_any_answer() {
    let mut program = program([service("a", &[]), service("b", &["a"])]);
    program.handle(Input::RunCalled);
    program.handle(root_sessions(1));
    program.handle(TERMINATE);
    program.pass(ms(4_999));
    assert!(!is_over(&program));
    program.pass(ms(1));
    assert!(is_over(&program));
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn the_root_begins_anew_for_the_teardown_once_its_sessions_were_abandoned() {
    let mut program = running([service("http", &[])]);
    program.all([root_sessions(1), TERMINATE, ended(0, 1, ExitReason::Done)]);
    let actions = program.pass(ms(4_900));
    let until = at(5_000);
    let last: Vec<_> = deeds(&actions).into_iter().rev().take(3).collect();
    assert_eq!(last, [&Action::ReturnFromRun, &Action::StopRoot { until }, &Action::RenewRoot]);
    program.all([root_sessions(1), Input::MainEnded(ExitReason::Done)]);
    assert!(!is_over(&program), "a session of the teardown is waited for");
    program.handle(root_sessions(0));
    assert!(is_over(&program));
}

//! Where the body of `main` is, and what a stop means for it.

use super::super::build::{TERMINATE, at, edge_sessions, ended, failed, ms, panicked, service, shutdown};
use super::super::harness::deeds;
use super::{cause, fate, is_over, program, running, start, starts};
use crate::machine::action::{Abandoned, Action};
use crate::machine::cause::Cause;
use crate::machine::event::{Ending, Event};
use crate::machine::exit::Exit;
use crate::machine::service::Fate;

#[test]
fn a_main_that_sets_up_unheard_is_dropped_and_the_exit_is_clean() {
    // Services that are only registered do not mean that main listens.
    let mut program = program([service("http", &[])]);
    assert!(program.handle(TERMINATE).contains(&Action::DropMain));
    program.handle(Event::MainEnded(Ending::Dropped));
    assert!(is_over(&program));
    assert_eq!(fate(&program, 0), Some(Fate::NeverStarted));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_main_that_listens_is_told_and_given_the_grace() {
    let mut program = program([]);
    program.handle(Event::MainListens);
    let actions = program.handle(TERMINATE);
    assert_eq!(deeds(&actions), [&Action::WatchSessions, &Action::BeginStop, &Action::TellEdge { until: at(4_900) }]);
    program.pass(ms(4_000));
    program.handle(Event::MainEnded(Ending::Done));
    assert!(is_over(&program));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_main_with_sessions_of_its_own_is_not_dropped_either() {
    let mut program = program([]);
    program.handle(edge_sessions(1));
    assert!(!program.handle(TERMINATE).contains(&Action::DropMain));
}

#[test]
fn a_main_that_listens_and_does_not_end_is_named_and_then_dropped() {
    let mut program = program([]);
    program.handle(Event::MainListens);
    program.handle(TERMINATE);
    let actions = program.pass(ms(4_900));
    let main = Abandoned { main: true, ..Abandoned::default() };
    assert_eq!(deeds(&actions), [&Action::Abandon(main), &Action::DropMain, &Action::Finish]);
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn a_main_that_returns_while_it_is_in_run_asks_for_a_stop() {
    let mut program = running([service("http", &[])]);
    let actions = program.handle(Event::MainEnded(Ending::Done));
    assert_eq!(cause(&actions), Some(&Cause::MainReturned));
    program.handle(ended(0, 1, Ending::Done));
    assert!(is_over(&program));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_main_that_returns_without_run_is_as_good_as_one_that_calls_it_last() {
    let mut program = program([service("http", &[])]);
    assert_eq!(starts(&program.handle(Event::MainEnded(Ending::Done))), [start(0, 1)]);
    assert!(!program.oracle.is_stopping());
}

#[test]
fn a_main_that_fails_before_run_starts_nothing_and_exits_with_1() {
    for ending in [failed(), panicked()] {
        let mut program = program([service("http", &[])]);
        let actions = program.handle(Event::MainEnded(ending));
        assert!(matches!(cause(&actions), Some(Cause::MainFailed(_))));
        assert_eq!(starts(&actions), []);
        assert!(is_over(&program));
        assert_eq!(program.state.exit().code(), 1);
    }
}

#[test]
fn a_teardown_that_fails_gives_exit_1_and_one_without_an_end_124() {
    for (ending, code) in [(Some(failed()), 1), (None, 124)] {
        let mut program = running([]);
        assert!(program.oracle.main().returned);
        match ending {
            Some(ending) => drop(program.handle(Event::MainEnded(ending))),
            None => drop(program.pass(ms(5_000))),
        }
        assert!(is_over(&program));
        assert_eq!(program.state.exit().code(), code);
    }
}

#[test]
fn a_main_that_calls_run_during_the_stop_still_has_its_teardown() {
    let mut program = program([]);
    program.handle(Event::MainListens);
    program.handle(shutdown());
    assert_eq!(deeds(&program.handle(Event::RunCalled)), [&Action::ReturnFromRun]);
    program.handle(Event::MainEnded(Ending::Done));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn what_main_added_before_run_never_starts_after_a_stop_request() {
    let mut program = program([service("db", &[])]);
    program.handle(Event::MainListens);
    program.handle(TERMINATE);
    assert_eq!(starts(&program.handle(Event::RunCalled)), []);
    assert_eq!(fate(&program, 0), Some(Fate::NeverStarted));
}

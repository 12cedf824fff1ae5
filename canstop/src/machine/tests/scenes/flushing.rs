//! Flush hooks and kept values, after everything has stopped.

use super::super::build::{TERMINATE, at, ended, ms, root_sessions, service, signal};
use super::super::harness::{Watched, events};
use super::{is_over, running, stop_by};
use crate::machine::action::{Abandoned, Action};
use crate::machine::cause::Signal;
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::id::Owner;
use crate::machine::input::{ExitReason, Input};

fn flushed(panic: Option<&str>) -> Input {
    Input::Flushed { name: "otel".to_owned(), panic: panic.map(str::to_owned) }
}

/// A service, `main` in `run()`, and this number of hooks.
fn with_hooks(hooks: usize) -> Watched {
    let mut program = running([service("http", &[])]);
    program.all((0..hooks).map(|_| Input::FlushHookAdded));
    program
}

/// Everything but the hooks stops.
fn stop_all(program: &mut Watched) -> Vec<Action> {
    let mut actions = program.handle(TERMINATE);
    actions.extend(program.handle(ended(0, 1, ExitReason::Done)));
    actions.extend(program.handle(Input::MainEnded(ExitReason::Done)));
    actions
}

#[test]
fn hooks_run_when_all_has_stopped_and_are_waited_for() {
    let mut program = with_hooks(2);
    assert_eq!(stop_all(&mut program).last(), Some(&Action::Flush));
    assert_eq!(program.handle(flushed(None)), []);
    assert!(!is_over(&program));
    assert_eq!(program.handle(flushed(None)), [Action::Finish]);
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn the_time_of_hooks_is_reserved() {
    let mut program = with_hooks(1);
    let actions = program.handle(TERMINATE);
    // The hook has a fifth of five seconds, and the teardown a tenth of a second.
    let until = at(3_900);
    assert!(actions.contains(&Action::StopRoot { until }), "{actions:?}");
    assert_eq!(stop_by(&actions), [0]);
    let actions = program.pass(ms(3_900));
    assert!(actions.contains(&Action::ReturnFromRun), "{actions:?}");
    program.pass(ms(100));
    assert!(!is_over(&program), "the hook has its second");
    let actions = program.pass(ms(1_000));
    assert_eq!(actions, [Action::AbandonFlush, Action::Finish]);
    assert_eq!((program.state.exit(), program.now), (Exit::Abandoned, at(5_000)));
}

#[test]
fn a_hook_that_hangs_is_abandoned_after_a_second() {
    let mut program = with_hooks(1);
    stop_all(&mut program);
    assert_eq!(program.pass(ms(999)), []);
    assert_eq!(program.pass(ms(1)), [Action::AbandonFlush, Action::Finish]);
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn a_hook_that_panics_makes_the_program_fail() {
    let mut program = with_hooks(1);
    stop_all(&mut program);
    let actions = program.handle(flushed(Some("no connection")));
    let failed = Event::FlushFailed { name: "otel".to_owned(), error: "no connection".to_owned() };
    assert_eq!(events(&actions), [&failed]);
    assert_eq!(program.state.exit(), Exit::Failed);
    assert!(is_over(&program));
}

#[test]
fn a_second_signal_does_not_wait_for_hooks() {
    let mut program = with_hooks(1);
    stop_all(&mut program);
    program.pass(ms(200));
    let actions = program.handle(signal(Signal::Terminate, 200));
    assert_eq!(actions, [Action::ForceExit]);
}

#[test]
fn a_hook_added_during_the_flush_is_too_late() {
    let mut program = with_hooks(1);
    stop_all(&mut program);
    program.state.add_flush_hook();
    assert_eq!(program.handle(flushed(None)), [Action::Finish]);
}

#[test]
fn kept_values_have_reserved_time() {
    let mut program = running([service("http", &[])]);
    program.handle(Input::Kept);
    let actions = program.handle(TERMINATE);
    assert!(actions.contains(&Action::StopRoot { until: at(4_400) }), "{actions:?}");
}

#[test]
fn what_a_hook_spawns_is_waited_for_within_the_time_of_hooks() {
    let mut program = with_hooks(1);
    stop_all(&mut program);
    program.pass(ms(100));
    program.handle(root_sessions(1));
    assert_eq!(program.handle(flushed(None)), []);
    assert_eq!(program.handle(root_sessions(0)), [Action::Finish]);
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn what_a_hook_leaves_behind_is_abandoned() {
    let mut program = with_hooks(1);
    stop_all(&mut program);
    program.handle(root_sessions(1));
    program.handle(flushed(None));
    let actions = program.pass(ms(1_000));
    let left = Abandoned { sessions: vec![(Owner::Root, 1)], ..Abandoned::default() };
    assert_eq!(actions, [Action::Abandon(left), Action::Finish]);
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

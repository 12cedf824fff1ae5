//! Handing over to a new process, and taking over from an old one.

use super::super::build::{Options, TERMINATE, added, allowance, at, ended, failed, ms, ready, service, shutdown};
use super::super::harness::{Watched, deeds, events};
use super::{cause, program, running, stop_by};
use crate::machine::action::Action;
use crate::machine::cause::Cause;
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::handover::{HandOverAction, HandOverInput};
use crate::machine::input::{ExitReason, Input};

const REQUEST: Input = Input::HandOver(HandOverInput::Requested);
const TIMEOUT: u64 = 60_000;
const OLD: u32 = 100;
const NEW: u32 = 200;

fn spawned(attempt: u32) -> Input {
    Input::HandOver(HandOverInput::Spawned { attempt, pid: NEW })
}

fn successor_ready(attempt: u32) -> Input {
    Input::HandOver(HandOverInput::SuccessorReady { attempt })
}

fn successor_ended(attempt: u32) -> Input {
    Input::HandOver(HandOverInput::SuccessorEnded { attempt, error: "exit status: 1".to_owned() })
}

/// The actions of hand-overs.
fn hand_over(actions: &[Action]) -> Vec<&HandOverAction> {
    fn action(action: &Action) -> Option<&HandOverAction> {
        match action {
            Action::HandOver(action) => Some(action),
            _ => None,
        }
    }
    actions.iter().filter_map(action).collect()
}

fn refusal(actions: &[Action]) -> &str {
    match hand_over(actions)[..] {
        [HandOverAction::Refuse { reason }] => {
            assert_eq!(events(actions), [&Event::HandOverRefused { reason: reason.clone() }]);
            reason
        }
        _ => panic!("it is not refused: {actions:?}"),
    }
}

/// A program of one service that takes part in hand-overs and is ready.
fn serving() -> Watched {
    let mut program = program([service("http", &[])]).handing_over(ms(TIMEOUT), None);
    program.handle(Input::RunCalled);
    program
}

#[test]
fn a_ready_successor_serves_before_the_stop_begins() {
    let mut program = serving();
    assert_eq!(hand_over(&program.handle(REQUEST)), [&HandOverAction::Spawn { attempt: 1 }]);
    assert_eq!(events(&program.handle(spawned(1))), [&Event::HandOverStarted { pid: NEW }]);
    let actions = program.handle(successor_ready(1));
    let commit = Action::HandOver(HandOverAction::Commit { pid: NEW });
    assert_eq!(actions[0], commit, "the first of all");
    assert_eq!(cause(&actions), Some(&Cause::HandedOver { pid: NEW }));
    assert_eq!(stop_by(&actions), [0]);
    assert_eq!(program.state.readiness(program.now), Ok(()), "a probe is about the process that serves");
    program.handle(ended(0, 1, ExitReason::Done));
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_hand_over_has_no_drain_delay() {
    let mut program = Watched::new(allowance(5_000, 2_000)).handing_over(ms(TIMEOUT), None);
    program.all([added(service("http", &[])), Input::RunCalled, REQUEST, spawned(1)]);
    let actions = program.handle(successor_ready(1));
    assert_eq!(stop_by(&actions), [0], "services stop at once: the successor accepts");
}

#[test]
fn a_successor_that_fails_changes_nothing() {
    let mut program = serving();
    program.all([REQUEST, spawned(1)]);
    let actions = program.handle(successor_ended(1));
    assert!(matches!(hand_over(&actions)[..], [HandOverAction::Fail { .. }]), "{actions:?}");
    assert!(matches!(events(&actions)[..], [Event::HandOverFailed { error }] if error.contains("goes on serving")));
    assert!(program.state.stop_requested().is_none());
    assert_eq!(hand_over(&program.handle(REQUEST)), [&HandOverAction::Spawn { attempt: 2 }]);
    assert_eq!(program.handle(successor_ready(1)), [], "that was the one before");
}

#[test]
fn a_late_successor_is_killed_and_the_next_waits_for_its_end() {
    let mut program = serving();
    program.all([REQUEST, spawned(1)]);
    let actions = program.pass(ms(TIMEOUT));
    assert_eq!(hand_over(&actions)[0], &HandOverAction::Kill { attempt: 1 });
    assert!(matches!(hand_over(&actions)[1], HandOverAction::Fail { error } if error.contains("upgrade_timeout")));
    assert_eq!(program.handle(successor_ready(1)), [], "it is too late");
    assert!(refusal(&program.handle(REQUEST)).starts_with("busy"));
    assert_eq!(program.handle(successor_ended(1)), [], "its failure was reported");
    assert_eq!(hand_over(&program.handle(REQUEST)), [&HandOverAction::Spawn { attempt: 2 }]);
}

#[test]
fn a_second_request_is_refused_as_busy() {
    let mut program = serving();
    program.handle(REQUEST);
    assert!(refusal(&program.handle(REQUEST)).starts_with("busy"));
    program.handle(spawned(1));
    assert_eq!(refusal(&program.handle(REQUEST)), "busy, process 200 is starting");
    program.handle(successor_ready(1));
    assert_eq!(refusal(&program.handle(REQUEST)), "a stop was requested");
}

#[test]
fn a_request_is_refused_before_the_program_is_ready() {
    let mut program = program([service("http", &[]).notify()]).handing_over(ms(TIMEOUT), None);
    assert_eq!(refusal(&program.handle(REQUEST)), "this process is not ready yet");
    program.handle(Input::RunCalled);
    assert_eq!(refusal(&program.handle(REQUEST)), "this process is not ready yet");
    program.handle(ready(0, 1));
    assert_eq!(hand_over(&program.handle(REQUEST)), [&HandOverAction::Spawn { attempt: 1 }]);
}

#[test]
fn a_program_that_takes_no_part_refuses() {
    let mut program = running([service("http", &[])]);
    assert_eq!(refusal(&program.handle(REQUEST)), "this program does not take part in hand-overs");
}

#[test]
fn a_stop_kills_a_successor_that_is_starting() {
    for stop in [TERMINATE, shutdown(), ended(0, 1, failed())] {
        let mut program = program([service("http", &[]).limit(0)]).handing_over(ms(TIMEOUT), None);
        program.all([Input::RunCalled, REQUEST, spawned(1)]);
        let actions = program.handle(stop);
        assert_eq!(hand_over(&actions)[0], &HandOverAction::Kill { attempt: 1 });
        assert!(cause(&actions).is_some_and(|cause| !matches!(cause, Cause::HandedOver { .. })));
    }
}

#[test]
fn a_successor_announces_itself_once_and_waits_to_serve() {
    let mut program = program([service("http", &[]).notify()]).handing_over(ms(TIMEOUT), Some(OLD));
    assert_eq!(hand_over(&program.handle(Input::RunCalled)), Vec::<&HandOverAction>::new());
    assert_eq!(hand_over(&program.handle(ready(0, 1))), [&HandOverAction::Announce]);
    assert_eq!(refusal(&program.handle(REQUEST)), "busy, the process before this one (100) has not ended yet");
    let actions = program.handle(Input::HandOver(HandOverInput::TookOver));
    assert_eq!(hand_over(&actions), [&HandOverAction::Serve]);
    assert_eq!(events(&actions), [&Event::TookOver { pid: OLD }]);
    assert!(refusal(&program.handle(REQUEST)).starts_with("busy"));
    let actions = program.handle(Input::HandOver(HandOverInput::PredecessorEnded));
    assert_eq!(hand_over(&actions), [&HandOverAction::CloseUnclaimed]);
    assert_eq!(events(&actions), [&Event::PredecessorEnded { pid: OLD }]);
    assert_eq!(hand_over(&program.handle(REQUEST)), [&HandOverAction::Spawn { attempt: 1 }]);
}

#[test]
fn a_successor_serves_when_its_predecessor_dies() {
    let mut program = program([service("http", &[]).notify()]).handing_over(ms(TIMEOUT), Some(OLD));
    program.handle(Input::RunCalled);
    let actions = program.handle(Input::HandOver(HandOverInput::PredecessorEnded));
    assert_eq!(hand_over(&actions), [&HandOverAction::Serve, &HandOverAction::CloseUnclaimed]);
    assert_eq!(deeds(&program.handle(ready(0, 1))), Vec::<&Action>::new(), "there is no one to announce it to");
}

#[test]
fn what_comes_of_an_earlier_attempt_counts_for_nothing() {
    let mut program = serving();
    program.all([REQUEST, spawned(1), successor_ended(1)]);
    assert_eq!(hand_over(&program.handle(REQUEST)), [&HandOverAction::Spawn { attempt: 2 }]);
    assert_eq!(program.handle(spawned(1)), []);
    program.handle(spawned(2));
    assert_eq!(program.handle(successor_ready(1)), []);
    assert_eq!(program.handle(successor_ended(1)), []);
    assert_eq!(cause(&program.handle(successor_ready(2))), Some(&Cause::HandedOver { pid: NEW }));
}

#[test]
fn a_frozen_span_does_not_count_against_a_successor() {
    let mut program = serving();
    program.all([REQUEST, spawned(1)]);
    program.now = at(TIMEOUT + 1_000);
    assert_eq!(program.handle(Input::Frozen { span: ms(4_000) }), []);
    assert_eq!(program.pass(ms(2_999)), []);
    let actions = program.pass(ms(1));
    let error = "the new process was not ready within the upgrade_timeout of 60s; this process goes on serving";
    assert_eq!(events(&actions), [&Event::HandOverFailed { error: error.to_owned() }]);
}

//! Sessions with a grace of their own.

use std::time::Duration;

use super::super::build::{Options, TERMINATE, ended, restart, service, sessions_in, signal};
use super::super::harness::deeds;
use super::running;
use crate::machine::action::{Abandoned, Action};
use crate::machine::backoff::Jitter;
use crate::machine::budget::Allowance;
use crate::machine::cause::Signal;
use crate::machine::exit::Exit;
use crate::machine::id::{Owner, RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::phase::Phase;
use crate::machine::state::State;
use crate::machine::time::Time;

const GROUP: Owner = Owner::Group(0);

fn at(milliseconds: u64) -> Time {
    Time::after_start(Duration::from_millis(milliseconds))
}

/// A program with five seconds, whose root has a group of sessions with half a second.
fn program() -> State {
    let allowance = Allowance { grace: Duration::from_secs(5), drain_delay: Duration::ZERO };
    let mut state = State::new(allowance, Jitter::seeded(1));
    let _ =
        state.handle(at(0), Input::GroupAdded { home: Owner::Root, grace: Duration::from_millis(500), cancels: false });
    state
}

fn count(state: &mut State, now: Time, root: u64, group: u64) -> Vec<Action> {
    let _ = state.handle(now, Input::SessionsCounted(vec![(Owner::Root, root), (GROUP, group)]));
    state.handle(now, Input::Wake)
}

#[test]
fn a_group_is_abandoned_at_its_own_grace_and_others_are_not() {
    let mut state = program();
    let _ = count(&mut state, at(0), 1, 2);
    let _ = state.handle(at(0), Input::MainEnded(ExitReason::Done));
    let _ = state.handle(at(0), signal(Signal::Terminate, u64::MAX));
    assert_eq!(state.wake_at(), Some(at(500)));

    let actions = state.handle(at(500), Input::Wake);
    let abandoned = Abandoned { sessions: vec![(GROUP, 2)], ..Abandoned::default() };
    assert_eq!(actions, [Action::Abandon(abandoned)]);
    assert_ne!(state.phase(), Phase::Finished);

    let _ = count(&mut state, at(600), 0, 0);
    assert_eq!((state.phase(), state.exit()), (Phase::Finished, Exit::Abandoned));
}

#[test]
fn a_session_spawned_in_a_stop_has_its_grace_from_then() {
    let allowance = Allowance { grace: Duration::from_secs(5), drain_delay: Duration::ZERO };
    let mut state = State::new(allowance, Jitter::seeded(1));
    let _ = state.handle(at(0), Input::SessionsCounted(vec![(Owner::Root, 1)]));
    let _ = state.handle(at(0), Input::MainEnded(ExitReason::Done));
    let _ = state.handle(at(0), signal(Signal::Terminate, u64::MAX));

    let _ = state
        .handle(at(200), Input::GroupAdded { home: Owner::Root, grace: Duration::from_millis(500), cancels: false });
    let _ = count(&mut state, at(200), 1, 1);
    assert_eq!(state.wake_at(), Some(at(700)));
}

#[test]
fn a_main_with_a_session_in_a_group_is_not_dropped() {
    let mut state = program();
    let _ = count(&mut state, at(0), 0, 1);
    let actions = state.handle(at(0), signal(Signal::Terminate, u64::MAX));
    assert!(!actions.contains(&Action::DropMain), "{actions:?}");
}

/// A program with five seconds, whose root has a session that may be cancelled after this time.
fn program_that_cancels(after: Duration) -> State {
    let allowance = Allowance { grace: Duration::from_secs(5), drain_delay: Duration::ZERO };
    let mut state = State::new(allowance, Jitter::seeded(1));
    let _ = state.handle(at(0), Input::GroupAdded { home: Owner::Root, grace: after, cancels: true });
    let _ = count(&mut state, at(0), 0, 1);
    let _ = state.handle(at(0), Input::MainEnded(ExitReason::Done));
    let _ = state.handle(at(0), signal(Signal::Terminate, 0));
    state
}

#[test]
fn sessions_with_cancel_are_dropped_without_blame() {
    let mut state = program_that_cancels(Duration::from_secs(1));
    let actions = state.handle(at(1_000), Input::Wake);
    assert!(actions.contains(&Action::CancelSessions { owner: GROUP }), "{actions:?}");
    let _ = count(&mut state, at(1_010), 0, 0);
    assert_eq!((state.phase(), state.exit()), (Phase::Finished, Exit::Clean));
}

#[test]
fn sessions_are_cancelled_before_the_end_of_a_shorter_step() {
    let mut state = program_that_cancels(Duration::from_secs(60));
    let actions = state.handle(at(4_950), Input::Wake);
    assert!(actions.contains(&Action::CancelSessions { owner: GROUP }), "{actions:?}");
    let _ = count(&mut state, at(4_960), 0, 0);
    assert_eq!(state.exit(), Exit::Clean);
}

#[test]
fn a_session_that_cannot_be_cancelled_is_abandoned_with_its_step() {
    let mut state = program_that_cancels(Duration::from_secs(1));
    let _ = state.handle(at(1_000), Input::Wake);
    assert_ne!(state.phase(), Phase::Finished);
    let actions = state.handle(at(5_000), Input::Wake);
    let abandoned = Abandoned { sessions: vec![(GROUP, 1)], ..Abandoned::default() };
    assert!(actions.contains(&Action::Abandon(abandoned)), "{actions:?}");
    assert_eq!(state.exit(), Exit::Abandoned);
}

/// Another group of sessions, with half a second, of the first service.
fn group_of_service(cancels: bool) -> Input {
    Input::GroupAdded { home: Owner::Service(ServiceId(0)), grace: Duration::from_millis(500), cancels }
}

#[test]
fn sessions_that_may_be_cancelled_are_not_abandoned_by_a_late_wake() {
    let mut state = running([service("http", &[]).grace(500)]).state;
    for input in [group_of_service(true), sessions_in(0, 1), TERMINATE] {
        let _ = state.handle(at(0), input);
    }
    let actions = state.handle(at(500), Input::Wake);
    assert!(actions.contains(&Action::CancelSessions { owner: GROUP }), "{actions:?}");
    let abandoned = Abandoned { services: vec![(ServiceId(0), RunId(1))], ..Abandoned::default() };
    assert!(actions.contains(&Action::Abandon(abandoned)), "{actions:?}");
}

#[test]
fn the_groups_of_a_new_run_are_not_abandoned_for_the_stop_of_the_last() {
    let mut program = running([service("http", &[])]);
    program.all([group_of_service(false), restart(0), ended(0, 1, ExitReason::Done)]);
    program.handle(sessions_in(0, 1));
    assert_eq!(deeds(&program.pass(Duration::from_secs(60))), [] as [&Action; 0]);
}

#[test]
fn a_group_of_an_unknown_service_counts_with_the_root() {
    let mut state = running([service("http", &[])]).state;
    let home = Owner::Service(ServiceId(1));
    let _ = state.handle(at(0), Input::GroupAdded { home, grace: Duration::ZERO, cancels: false });
    let _ = state.handle(at(0), sessions_in(0, 1));
    assert_eq!(state.left().sessions, [(GROUP, 1)]);
}

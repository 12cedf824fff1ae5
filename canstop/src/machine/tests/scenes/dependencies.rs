//! Levels: time is reserved from the end backwards.

use super::super::build::{Options, TERMINATE, at, ended, ms, root_sessions, service, sessions_of};
use super::super::harness::{Watched, deeds};
use super::{is_over, outcome, running, stop_by};
use crate::machine::action::{Abandoned, Action};
use crate::machine::exit::Exit;
use crate::machine::id::{Owner, RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::stage::ServiceOutcome;

/// A second is reserved for the writer, its own grace for the cache, and a tenth of a second for the teardown.
fn three_levels() -> Watched {
    running([service("http", &["cache"]), service("cache", &["writer"]).grace(500), service("writer", &[])])
}

#[test]
fn a_stuck_root_session_does_not_use_a_dependencys_time() {
    let mut program = three_levels();
    program.handle(root_sessions(1));
    program.handle(TERMINATE);
    assert_eq!(stop_by(&program.handle(ended(0, 1, ExitReason::Done))), [0_usize; 0]);
    assert_eq!(stop_by(&program.pass(ms(3_399))), [0_usize; 0]);

    let actions = program.pass(ms(1));
    let stuck = Abandoned { sessions: vec![(Owner::Root, 1)], ..Abandoned::default() };
    let cache = Action::StopService { id: ServiceId(1), run: RunId(1), until: at(3_900) };
    assert_eq!(deeds(&actions), [&Action::Abandon(stuck), &cache]);

    let actions = program.pass(ms(500));
    let cache = Abandoned { services: vec![(ServiceId(1), RunId(1))], ..Abandoned::default() };
    let writer = Action::StopService { id: ServiceId(2), run: RunId(1), until: at(4_900) };
    assert_eq!(deeds(&actions), [&Action::Abandon(cache), &writer], "the writer has its whole second");

    program.pass(ms(900));
    program.all([ended(2, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert!(is_over(&program));
    assert_eq!(outcome(&program, 2), Some(ServiceOutcome::Stopped));
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn unused_time_goes_to_later_levels() {
    let mut program = three_levels();
    program.handle(TERMINATE);
    program.pass(ms(10));
    let actions = program.handle(ended(0, 1, ExitReason::Done));
    let until = at(510);
    assert_eq!(
        deeds(&actions),
        [&Action::StopService { id: ServiceId(1), run: RunId(1), until }],
        "a grace of one's own is a promise, not a minimum"
    );
    let actions = program.handle(ended(1, 1, ExitReason::Done));
    let until = at(4_900);
    assert_eq!(deeds(&actions), [&Action::StopService { id: ServiceId(2), run: RunId(1), until }]);
}

#[test]
fn sessions_of_a_dependency_do_not_delay_the_front() {
    let mut program = three_levels();
    program.handle(sessions_of(2, 7));
    program.handle(TERMINATE);
    assert_eq!(stop_by(&program.handle(ended(0, 1, ExitReason::Done))), [1]);
    assert_eq!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [2]);
    assert_eq!(
        deeds(&program.handle(ended(2, 1, ExitReason::Done))),
        [&Action::ReturnFromRun; 0],
        "its sessions are there"
    );
    let until = at(5_000);
    assert_eq!(deeds(&program.handle(sessions_of(2, 0))), [&Action::StopRoot { until }, &Action::ReturnFromRun]);
}

#[test]
fn a_dependency_that_ended_before_its_step_is_not_signalled() {
    let mut program = three_levels();
    program.handle(TERMINATE);
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(stop_by(&program.handle(ended(0, 1, ExitReason::Done))), [2]);
    assert_eq!(outcome(&program, 1), Some(ServiceOutcome::Stopped));
}

#[test]
fn sessions_spawned_after_their_services_step_are_signalled() {
    let mut program = three_levels();
    program.handle(TERMINATE);
    program.all([ended(1, 1, ExitReason::Done), ended(0, 1, ExitReason::Done)]);
    // A thread with a guard of the cache, which has ended, spawns one more session.
    assert_eq!(stop_by(&program.handle(sessions_of(1, 1))), [1]);
    assert_eq!(deeds(&program.handle(ended(2, 1, ExitReason::Done))), Vec::<&Action>::new(), "it is waited for");
    let until = at(5_000);
    assert_eq!(deeds(&program.handle(sessions_of(1, 0))), [&Action::StopRoot { until }, &Action::ReturnFromRun]);
}

#[test]
fn a_service_is_abandoned_at_its_grace_within_its_step() {
    let mut program = running([service("http", &[]).grace(300), service("grpc", &[])]);
    program.handle(TERMINATE);
    program.pass(ms(300));
    assert_eq!((outcome(&program, 0), outcome(&program, 1)), (Some(ServiceOutcome::Abandoned), None));
}

#[test]
fn a_dependency_that_ended_reserves_no_time() {
    let mut program = three_levels();
    program.handle(ended(2, 1, ExitReason::Done));
    let actions = program.handle(TERMINATE);
    assert!(actions.contains(&Action::StopRoot { until: at(4_400) }), "{actions:?}");
}

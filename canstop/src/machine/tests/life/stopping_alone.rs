//! One service is stopped, and the program goes on.

use super::super::build::{Options, TERMINATE, added, allowance, at, ended, failed, ms, service, sessions_of, stop};
use super::super::harness::{Watched, deeds};
use super::{cause, outcome, program, running, start, starts, stop_by};
use crate::machine::action::{Abandoned, Action};
use crate::machine::cause::Cause;
use crate::machine::exit::Exit;
use crate::machine::id::{Owner, RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::spec::ServiceSpec;
use crate::machine::stage::ServiceOutcome;

#[test]
fn those_that_need_it_stop_before_it_and_the_others_go_on() {
    let mut program = running([service("db", &[]), service("http", &["db"]), service("metrics", &[])]);
    assert_eq!(stop_by(&program.handle(stop(0))), [1]);
    assert_eq!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [0]);
    program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(
        (outcome(&program, 0), outcome(&program, 1), outcome(&program, 2)),
        (Some(ServiceOutcome::Stopped), Some(ServiceOutcome::Stopped), None)
    );
    assert!(!program.oracle.is_stopping());
}

#[test]
fn the_sessions_of_a_dependent_that_is_over_are_told_too() {
    let mut program = running([service("db", &[]), service("http", &["db"]), service("other", &[])]);
    program.handle(sessions_of(1, 1));
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(stop_by(&program.handle(stop(0))), [1]);
    assert_eq!(stop_by(&program.handle(sessions_of(1, 0))), [0]);
}

#[test]
fn a_dependency_is_told_as_soon_as_its_last_dependent_is_given_up() {
    let mut program = running([service("db", &[]), service("http", &["db"]).grace(300), service("other", &[])]);
    program.handle(stop(0));
    let actions = program.pass(ms(300));
    let http = Abandoned { services: vec![(ServiceId(1), RunId(1))], ..Abandoned::default() };
    let db = Action::StopService { id: ServiceId(0), run: RunId(1), until: at(5_300) };
    assert_eq!(deeds(&actions), [&Action::Abandon(http), &db]);
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn one_that_backs_off_is_not_started_again_when_it_is_stopped() {
    let mut program = running([service("db", &[]), service("other", &[])]);
    program.handle(ended(0, 1, failed()));
    // Just as its pause is over, and before anybody woke the machine.
    program.now = at(200);
    assert_eq!(starts(&program.handle(stop(0))), []);
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Stopped));
}

#[test]
fn stopped_before_run_it_never_starts_and_nobody_waits_for_it() {
    let mut program = program([service("db", &[]), service("http", &["db"]), service("other", &[])]);
    program.handle(stop(0));
    assert_eq!(starts(&program.handle(Input::RunCalled)), [start(2, 1)]);
    assert_eq!(
        (outcome(&program, 0), outcome(&program, 1)),
        (Some(ServiceOutcome::NeverStarted), Some(ServiceOutcome::NeverStarted))
    );
    assert_eq!(cause(&program.handle(ended(2, 1, ExitReason::Done))), Some(&Cause::Finished));
}

#[test]
fn what_is_added_after_one_that_was_stopped_never_starts() {
    let mut program = running([service("db", &[]), service("other", &[])]);
    program.handle(stop(0));
    program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(added(service("http", &["db"])))), []);
    assert_eq!(outcome(&program, 2), Some(ServiceOutcome::NeverStarted));
}

#[test]
fn all_stopped_one_by_one_is_finished() {
    let mut program = running([service("a", &[]), service("b", &[])]);
    program.all([stop(0), ended(0, 1, ExitReason::Done), stop(1)]);
    assert_eq!(cause(&program.handle(ended(1, 1, ExitReason::Done))), Some(&Cause::Finished));
}

#[test]
fn the_programs_stop_shortens_the_time_that_was_promised_before() {
    let mut program = running([service("db", &[]), service("http", &["db"])]);
    program.handle(stop(1));
    assert_eq!(program.state.wake_at(), Some(at(5_000)));
    let actions = program.handle(TERMINATE);
    let until = at(3_900);
    assert_eq!(
        deeds(&actions),
        [
            &Action::BeginStop,
            &Action::StopService { id: ServiceId(1), run: RunId(1), until },
            &Action::StopRoot { until }
        ]
    );
    program.pass(ms(3_900));
    assert_eq!(outcome(&program, 1), Some(ServiceOutcome::Abandoned));
}

/// Its drain delay is longer than the service's own grace.
fn with_drain_delay(specs: impl IntoIterator<Item = ServiceSpec>) -> Watched {
    let mut program = Watched::new(allowance(5_000, 2_000));
    program.all(specs.into_iter().map(added));
    program.handle(Input::RunCalled);
    program
}

#[test]
fn one_that_was_stopped_alone_is_given_up_in_time_during_the_drain_delay() {
    let mut program = with_drain_delay([service("http", &[]).grace(300), service("other", &[])]);
    program.handle(stop(0));
    program.handle(TERMINATE);
    program.pass(ms(300));
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Abandoned));
}

#[test]
fn a_dependency_that_was_stopped_alone_is_given_up_in_time_though_it_is_not_its_turn() {
    let mut program = running([service("db", &[]).grace(300), service("http", &["db"]), service("other", &[])]);
    program.all([stop(0), ended(1, 1, ExitReason::Done)]);
    program.handle(sessions_of(0, 2));
    program.handle(TERMINATE);
    let actions = program.pass(ms(300));
    let db = Abandoned {
        main: false,
        services: vec![(ServiceId(0), RunId(1))],
        sessions: vec![(Owner::Service(ServiceId(0)), 2)],
    };
    assert_eq!(deeds(&actions), [&Action::Abandon(db)]);
}

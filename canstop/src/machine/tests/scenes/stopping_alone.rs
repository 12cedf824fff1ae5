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
fn a_stopped_services_dependents_stop_first() {
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
fn sessions_of_a_dependent_that_ended_are_signalled() {
    let mut program = running([service("db", &[]), service("http", &["db"]), service("other", &[])]);
    program.handle(sessions_of(1, 1));
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(stop_by(&program.handle(stop(0))), [1]);
    assert_eq!(stop_by(&program.handle(sessions_of(1, 0))), [0]);
}

#[test]
fn a_dependency_is_signalled_once_its_dependents_are_abandoned() {
    let mut program = running([service("db", &[]), service("http", &["db"]).grace(300), service("other", &[])]);
    program.handle(stop(0));
    let actions = program.pass(ms(300));
    let http = Abandoned { services: vec![(ServiceId(1), RunId(1))], ..Abandoned::default() };
    let db = Action::StopService { id: ServiceId(0), run: RunId(1), until: at(5_300) };
    assert_eq!(deeds(&actions), [&Action::Abandon(http), &db]);
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn a_service_stopped_in_its_backoff_does_not_restart() {
    let mut program = running([service("db", &[]), service("other", &[])]);
    program.handle(ended(0, 1, failed()));
    // At the end of its pause, before the wake.
    program.now = at(200);
    assert_eq!(starts(&program.handle(stop(0))), []);
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Stopped));
}

#[test]
fn a_service_stopped_before_run_never_starts() {
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
fn a_service_that_needs_a_stopped_one_never_starts() {
    let mut program = running([service("db", &[]), service("other", &[])]);
    program.handle(stop(0));
    program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(added(service("http", &["db"])))), []);
    assert_eq!(outcome(&program, 2), Some(ServiceOutcome::NeverStarted));
}

#[test]
fn a_program_finishes_when_every_service_was_stopped() {
    let mut program = running([service("a", &[]), service("b", &[])]);
    program.all([stop(0), ended(0, 1, ExitReason::Done), stop(1)]);
    assert_eq!(cause(&program.handle(ended(1, 1, ExitReason::Done))), Some(&Cause::Finished));
}

#[test]
fn a_stop_of_the_program_shortens_a_services_time() {
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

#[test]
fn a_stop_of_the_program_shortens_the_time_of_a_services_group() {
    let mut program = running([service("db", &[]), service("http", &["db"])]);
    program.handle(Input::GroupAdded { home: Owner::Service(ServiceId(1)), grace: ms(10_000), cancels: false });
    program.handle(Input::SessionsCounted(vec![(Owner::Group(0), 1)]));
    program.all([stop(1), TERMINATE]);
    program.pass(ms(3_895));
    // The end of the service gives its state a little more time, and its sessions none.
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(program.state.wake_at(), Some(at(3_900)));
}

/// The drain delay is longer than the service's own grace.
fn with_drain_delay(specs: impl IntoIterator<Item = ServiceSpec>) -> Watched {
    let mut program = Watched::new(allowance(5_000, 2_000));
    program.all(specs.into_iter().map(added));
    program.handle(Input::RunCalled);
    program
}

#[test]
fn a_stopped_service_is_abandoned_in_time_in_the_drain_delay() {
    let mut program = with_drain_delay([service("http", &[]).grace(300), service("other", &[])]);
    program.handle(stop(0));
    program.handle(TERMINATE);
    program.pass(ms(300));
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Abandoned));
}

#[test]
fn a_stopped_dependency_is_abandoned_in_time_before_its_step() {
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

#[test]
fn a_service_stopped_alone_has_its_own_grace() {
    let mut program = running([service("db", &[]).grace(3_000), service("other", &[])]);
    program.handle(Input::SetGrace(ms(1_000)));
    let actions = program.handle(stop(0));
    let db = Action::StopService { id: ServiceId(0), run: RunId(1), until: at(3_000) };
    assert!(actions.contains(&db), "{actions:?}");
}

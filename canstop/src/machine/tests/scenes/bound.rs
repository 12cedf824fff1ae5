//! Bound services: which of them restart together.

use super::super::build::{Options, TERMINATE, at, ended, failed, ms, ready, restart, service, sessions_of, stop};
use super::super::harness::{Watched, deeds};
use super::{is_over, outcome, running, start, starts, stop_by};
use crate::machine::action::{Abandoned, Action};
use crate::machine::exit::Exit;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::restart::Restart;
use crate::machine::stage::ServiceOutcome;

/// The cache restarts with the database, the server with the cache, the metrics with neither.
fn chain() -> Watched {
    running([
        service("db", &[]),
        service("cache", &[]).bound_to(&["db"]),
        service("http", &[]).bound_to(&["cache"]),
        service("metrics", &["db"]),
    ])
}

#[test]
fn a_bound_service_starts_and_stops_as_with_after() {
    let mut program = chain();
    program.handle(TERMINATE);
    assert_eq!(stop_by(&program.all([ended(3, 1, ExitReason::Done), ended(2, 1, ExitReason::Done)])), [1]);
    assert_eq!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [0]);
}

#[test]
fn a_restart_stops_bound_services_first_and_starts_them_last() {
    let mut program = chain();
    assert_eq!(stop_by(&program.handle(restart(0))), [2], "the last of the chain is the first to stop");
    assert_eq!(stop_by(&program.handle(ended(2, 1, ExitReason::Done))), [1]);
    assert_eq!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [0]);
    let started = program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(starts(&started), [start(0, 2), start(1, 2), start(2, 2)]);
    assert_eq!(program.state.services()[3].run, RunId(1), "`after` restarts no service");
}

#[test]
fn a_failure_restarts_bound_services_but_not_its_needs() {
    let mut program = chain();
    assert_eq!(stop_by(&program.handle(ended(1, 1, failed()))), [2]);
    assert_eq!(starts(&program.handle(ended(2, 1, ExitReason::Done))), [], "the cache backs off, and the server waits");
    assert_eq!(starts(&program.pass(ms(199))), []);
    assert_eq!(starts(&program.pass(ms(1))), [start(1, 2), start(2, 2)]);
    assert_eq!(program.state.services()[0].run, RunId(1));
}

#[test]
fn a_restart_waits_for_the_services_bound_to_the_old_run() {
    let mut program = chain();
    program.handle(ended(1, 1, failed()));
    assert_eq!(starts(&program.pass(ms(1_000))), [], "the server still serves what it had of the old cache");
    assert_eq!(starts(&program.handle(ended(2, 1, ExitReason::Done))), [start(1, 2), start(2, 2)]);
}

#[test]
fn a_bound_service_waits_until_the_new_run_is_ready() {
    let mut program = running([service("db", &[]).notify(), service("http", &[]).bound_to(&["db"])]);
    program.handle(ready(0, 1));
    program.handle(restart(0));
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), [start(0, 2)]);
    assert_eq!(starts(&program.handle(ready(0, 2))), [start(1, 2)]);
}

#[test]
fn a_done_service_is_not_restarted_with_its_group() {
    let mut program = running([service("db", &[]), service("migrate", &[]).restart(Restart::Never).bound_to(&["db"])]);
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(stop_by(&program.handle(restart(0))), [0]);
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), [start(0, 2)]);
    assert_eq!(outcome(&program, 1), Some(ServiceOutcome::Done));
}

#[test]
fn restart_never_does_not_exclude_restarts_of_the_group() {
    let mut program = running([service("db", &[]), service("http", &[]).restart(Restart::Never).bound_to(&["db"])]);
    assert_eq!(stop_by(&program.handle(restart(0))), [1]);
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), [start(0, 2), start(1, 2)]);
}

/// Two services that are bound to each other.
fn pair() -> Watched {
    running([
        service("leader", &[]).bound_to(&["follower"]),
        service("follower", &[]).bound_to(&["leader"]),
        service("http", &["leader"]),
    ])
}

#[test]
fn services_bound_both_ways_restart_together() {
    let mut program = pair();
    assert_eq!(stop_by(&program.handle(ended(1, 1, failed()))), [0]);
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), []);
    assert_eq!(starts(&program.pass(ms(200))), [start(0, 2), start(1, 2)]);
    assert_eq!(program.state.services()[2].run, RunId(1));
}

#[test]
fn services_bound_both_ways_stop_together_after_dependents() {
    let mut program = pair();
    assert_eq!(stop_by(&program.handle(stop(1))), [1, 2]);
    assert_eq!(stop_by(&program.handle(ended(2, 1, ExitReason::Done))), [0], "the server needs the leader only");
    program.all([ended(1, 1, ExitReason::Done), ended(0, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert!(is_over(&program), "no service is left");
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_stop_ends_a_restart_of_a_group() {
    let mut program = chain();
    program.handle(restart(0));
    assert_eq!(stop_by(&program.handle(TERMINATE)), [2, 3], "the server is signalled again, with less time");
    program.all([ended(3, 1, ExitReason::Done), ended(2, 1, ExitReason::Done)]);
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), []);
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Stopped));
}

#[test]
fn a_stuck_bound_service_is_abandoned_and_the_restart_goes_on() {
    let mut program = running([service("db", &[]), service("http", &[]).bound_to(&["db"]).grace(300)]);
    program.handle(restart(0));
    let actions = program.pass(ms(300));
    let http = Abandoned { services: vec![(ServiceId(1), RunId(1))], ..Abandoned::default() };
    let db = Action::StopService { id: ServiceId(0), run: RunId(1), until: at(5_300) };
    assert_eq!(deeds(&actions)[..2], [&Action::Abandon(http), &db]);
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), [start(0, 2), start(1, 2)]);
    program.handle(TERMINATE);
    program.all([ended(1, 2, ExitReason::Done), ended(0, 2, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(program.state.exit(), Exit::Abandoned, "what was left behind is still somewhere");
}

#[test]
fn a_restart_waits_for_the_sessions_of_the_old_run() {
    let mut program = running([service("db", &[])]);
    program.handle(sessions_of(0, 2));
    program.handle(restart(0));
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), []);
    assert_eq!(starts(&program.handle(sessions_of(0, 0))), [start(0, 2)]);
}

#[test]
fn a_requested_restart_ends_the_backoff() {
    let mut program = running([service("db", &[]).backoff(8_000, 8_000)]);
    program.handle(ended(0, 1, failed()));
    assert_eq!(starts(&program.handle(restart(0))), [start(0, 2)]);
}

#[test]
fn an_error_during_a_restart_does_not_count() {
    let mut program = running([service("db", &[]).limit(0)]);
    program.handle(restart(0));
    assert_eq!(starts(&program.handle(ended(0, 1, failed()))), [start(0, 2)]);
    program.handle(TERMINATE);
    program.all([ended(0, 2, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(program.state.exit(), Exit::Clean);
}

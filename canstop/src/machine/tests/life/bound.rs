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

/// The cache begins anew with the database, the server with the cache, the metrics with nobody.
fn chain() -> Watched {
    running([
        service("db", &[]),
        service("cache", &[]).bound_to(&["db"]),
        service("http", &[]).bound_to(&["cache"]),
        service("metrics", &["db"]),
    ])
}

#[test]
fn who_is_bound_starts_and_stops_like_one_that_is_after() {
    let mut program = chain();
    program.handle(TERMINATE);
    assert_eq!(stop_by(&program.all([ended(3, 1, ExitReason::Done), ended(2, 1, ExitReason::Done)])), [1]);
    assert_eq!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [0]);
}

#[test]
fn a_restart_stops_those_that_are_bound_first_and_starts_them_last() {
    let mut program = chain();
    assert_eq!(stop_by(&program.handle(restart(0))), [2], "the last of the chain is the first to stop");
    assert_eq!(stop_by(&program.handle(ended(2, 1, ExitReason::Done))), [1]);
    assert_eq!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))), [0]);
    let started = program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(starts(&started), [start(0, 2), start(1, 2), start(2, 2)]);
    assert_eq!(program.state.services()[3].run, RunId(1), "`after` restarts nobody");
}

#[test]
fn a_failure_begins_a_new_life_for_those_that_are_bound_but_not_for_those_before_it() {
    let mut program = chain();
    assert_eq!(stop_by(&program.handle(ended(1, 1, failed()))), [2]);
    assert_eq!(starts(&program.handle(ended(2, 1, ExitReason::Done))), [], "the cache backs off, and the server waits");
    assert_eq!(starts(&program.pass(ms(199))), []);
    assert_eq!(starts(&program.pass(ms(1))), [start(1, 2), start(2, 2)]);
    assert_eq!(program.state.services()[0].run, RunId(1));
}

#[test]
fn a_new_life_waits_for_those_that_are_bound_to_the_old_one() {
    let mut program = chain();
    program.handle(ended(1, 1, failed()));
    assert_eq!(starts(&program.pass(ms(1_000))), [], "the server still serves what it had of the old cache");
    assert_eq!(starts(&program.handle(ended(2, 1, ExitReason::Done))), [start(1, 2), start(2, 2)]);
}

#[test]
fn who_is_bound_waits_until_the_new_life_is_ready() {
    let mut program = running([service("db", &[]).notify(), service("http", &[]).bound_to(&["db"])]);
    program.handle(ready(0, 1));
    program.handle(restart(0));
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), [start(0, 2)]);
    assert_eq!(starts(&program.handle(ready(0, 2))), [start(1, 2)]);
}

#[test]
fn a_service_that_is_over_for_good_is_not_restarted_with_the_others() {
    let mut program = running([service("db", &[]), service("migrate", &[]).restart(Restart::Never).bound_to(&["db"])]);
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(stop_by(&program.handle(restart(0))), [0]);
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), [start(0, 2)]);
    assert_eq!(outcome(&program, 1), Some(ServiceOutcome::Done));
}

#[test]
fn a_policy_of_never_speaks_of_its_own_ends_and_not_of_its_groups() {
    let mut program = running([service("db", &[]), service("http", &[]).restart(Restart::Never).bound_to(&["db"])]);
    assert_eq!(stop_by(&program.handle(restart(0))), [1]);
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), [start(0, 2), start(1, 2)]);
}

/// Two that are nothing without each other.
fn pair() -> Watched {
    running([
        service("leader", &[]).bound_to(&["follower"]),
        service("follower", &[]).bound_to(&["leader"]),
        service("http", &["leader"]),
    ])
}

#[test]
fn a_group_that_is_bound_both_ways_restarts_as_one() {
    let mut program = pair();
    assert_eq!(stop_by(&program.handle(ended(1, 1, failed()))), [0]);
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), []);
    assert_eq!(starts(&program.pass(ms(200))), [start(0, 2), start(1, 2)]);
    assert_eq!(program.state.services()[2].run, RunId(1));
}

#[test]
fn a_group_stops_as_one_too_and_those_that_need_one_of_it_before() {
    let mut program = pair();
    assert_eq!(stop_by(&program.handle(stop(1))), [1, 2]);
    assert_eq!(stop_by(&program.handle(ended(2, 1, ExitReason::Done))), [0], "the server needs the leader only");
    program.all([ended(1, 1, ExitReason::Done), ended(0, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert!(is_over(&program), "nobody is left");
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_stop_that_comes_in_a_restart_ends_it() {
    let mut program = chain();
    program.handle(restart(0));
    assert_eq!(stop_by(&program.handle(TERMINATE)), [2, 3], "the server hears that it has less time by now");
    program.all([ended(3, 1, ExitReason::Done), ended(2, 1, ExitReason::Done)]);
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), []);
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Stopped));
}

#[test]
fn one_that_is_stuck_is_left_behind_at_its_grace_and_the_restart_goes_on_without_it() {
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
fn sessions_of_the_old_life_are_waited_for_before_the_new_one() {
    let mut program = running([service("db", &[])]);
    program.handle(sessions_of(0, 2));
    program.handle(restart(0));
    assert_eq!(starts(&program.handle(ended(0, 1, ExitReason::Done))), []);
    assert_eq!(starts(&program.handle(sessions_of(0, 0))), [start(0, 2)]);
}

#[test]
fn a_restart_that_is_wanted_during_a_backoff_ends_the_backoff() {
    let mut program = running([service("db", &[]).backoff(8_000, 8_000)]);
    program.handle(ended(0, 1, failed()));
    assert_eq!(starts(&program.handle(restart(0))), [start(0, 2)]);
}

#[test]
fn an_error_on_the_way_to_a_new_life_heals_with_it() {
    let mut program = running([service("db", &[]).limit(0)]);
    program.handle(restart(0));
    assert_eq!(starts(&program.handle(ended(0, 1, failed()))), [start(0, 2)]);
    program.handle(TERMINATE);
    program.all([ended(0, 2, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(program.state.exit(), Exit::Clean);
}

//! The answers to probes, from the start to the end.

use std::time::Duration;

use super::super::build::{Options, TERMINATE, added, at, ended, failed, ms, ready, restart, service, stop};
use super::super::harness::Watched;
use super::{program, running};
use crate::machine::heartbeat::Heartbeat;
use crate::machine::id::ServiceId;
use crate::machine::input::{ExitReason, Input};
use crate::machine::readiness::{Answer, Probe, Unready, judge};
use crate::machine::time::Time;

const STALL: Duration = Duration::from_secs(30);

/// The answers to all three probes while the data plane works: alive, ready, started.
fn probes(program: &Watched) -> [Answer; 3] {
    let mut heartbeat = Heartbeat::new(Time::default(), ms(1_000));
    heartbeat.turned(program.now);
    [Probe::Live, Probe::Ready, Probe::Startup]
        .map(|probe| judge(probe, &program.state, heartbeat.age(program.now), STALL, program.now))
}

fn starting(id: usize) -> Answer {
    Err(Unready::Starting(Some(ServiceId(id))))
}

fn lost(id: usize) -> Answer {
    Err(Unready::Service(ServiceId(id)))
}

#[test]
fn a_program_is_ready_once_all_but_the_optional_are() {
    let mut program =
        program([service("db", &[]).notify(), service("http", &["db"]), service("metrics", &[]).optional().notify()]);
    assert_eq!(probes(&program), [Ok(()), Err(Unready::Starting(None)), Err(Unready::Starting(None))]);
    program.handle(Input::RunCalled);
    assert_eq!(probes(&program), [Ok(()), starting(0), Err(Unready::Starting(None))]);
    program.handle(ready(0, 1));
    assert_eq!(probes(&program), [Ok(()), Ok(()), Ok(())]);
}

#[test]
fn readiness_ends_with_the_stop_request_and_liveness_does_not() {
    let mut program = running([service("http", &[])]);
    program.handle(TERMINATE);
    assert_eq!(probes(&program), [Ok(()), Err(Unready::Stopping), Ok(())]);
    program.pass(ms(4_000));
    assert_eq!(probes(&program), [Ok(()), Err(Unready::Stopping), Ok(())]);
}

#[test]
fn a_stop_before_the_start_never_counts_as_started() {
    let mut program = running([service("http", &[]).notify()]);
    program.handle(TERMINATE);
    program.handle(ready(0, 1));
    assert_eq!(probes(&program), [Ok(()), Err(Unready::Stopping), Err(Unready::Stopping)]);
}

#[test]
fn a_quick_restart_keeps_readiness_and_a_long_one_loses_it() {
    let mut program = running([service("db", &[]).notify().limit(1_000).backoff(200, 200)]);
    program.handle(ready(0, 1));
    program.handle(ended(0, 1, failed()));
    program.pass(ms(200));
    assert_eq!(probes(&program), [Ok(()), Ok(()), Ok(())], "the second run is starting");
    program.handle(ready(0, 2));
    program.pass(ms(10_000));
    program.handle(ended(0, 2, failed()));
    program.pass(ms(2_999));
    assert_eq!(probes(&program)[1], Ok(()));
    program.pass(ms(1));
    assert_eq!(probes(&program), [Ok(()), lost(0), Ok(())], "a start that was seen once stays so");
    program.handle(ready(0, 3));
    assert_eq!(probes(&program)[1], Ok(()));
}

#[test]
fn a_service_that_keeps_failing_does_not_renew_its_hold() {
    let mut program = running([service("db", &[]).notify().limit(1_000).backoff(200, 200)]);
    program.handle(ready(0, 1));
    program.handle(ended(0, 1, failed()));
    for run in 2..20 {
        program.pass(ms(200));
        program.handle(ended(0, run, failed()));
    }
    assert!(program.now > at(3_000));
    assert_eq!(probes(&program)[1], lost(0));
}

#[test]
fn a_requested_restart_has_the_same_hold() {
    let mut program = running([service("db", &[])]);
    program.handle(restart(0));
    program.pass(ms(2_999));
    assert_eq!(probes(&program)[1], Ok(()));
    program.pass(ms(1));
    assert_eq!(probes(&program)[1], lost(0), "it does not stop, so its next run does not begin");
}

#[test]
fn a_service_that_is_done_does_not_end_readiness() {
    let mut program = running([service("migrate", &[]), service("http", &[]), service("queue", &[])]);
    program.handle(ended(0, 1, ExitReason::Done));
    program.handle(stop(2));
    program.handle(ended(2, 1, ExitReason::Done));
    program.pass(ms(10_000));
    assert_eq!(probes(&program), [Ok(()), Ok(()), Ok(())]);
}

#[test]
fn a_service_added_later_counts_once_it_was_ready() {
    let mut program = running([service("http", &[])]);
    program.handle(added(service("tenant", &[]).notify().limit(1_000).backoff(5_000, 5_000)));
    program.pass(ms(5_000));
    assert_eq!(probes(&program)[1], Ok(()));
    program.handle(ready(1, 1));
    program.handle(ended(1, 1, failed()));
    program.pass(ms(3_000));
    assert_eq!(probes(&program)[1], lost(1));
}

#[test]
fn a_hold_keeps_readiness_back_until_it_is_released() {
    let hold = |hold, reason: &str| Input::HoldReadiness { hold, reason: reason.to_owned() };
    let mut program = running([service("http", &[]).notify()]);
    program.all([hold(1, "migrating"), hold(2, "warming the cache"), ready(0, 1)]);
    let held = |reason: &str| Err(Unready::Held(reason.to_owned()));
    assert_eq!(probes(&program), [Ok(()), held("migrating"), Err(Unready::Starting(None))]);
    program.handle(Input::ReleaseReadiness { hold: 1 });
    assert_eq!(probes(&program), [Ok(()), held("warming the cache"), Err(Unready::Starting(None))]);
    program.handle(Input::ReleaseReadiness { hold: 2 });
    assert_eq!(probes(&program), [Ok(()), Ok(()), Ok(())]);
    program.handle(hold(3, "migrating"));
    assert_eq!(probes(&program), [Ok(()), held("migrating"), Ok(())], "a start that was seen once stays so");
}

#[test]
fn a_stalled_data_plane_is_dead_unless_it_stops() {
    let mut program = running([service("http", &[])]);
    let heartbeat = Heartbeat::new(Time::default(), ms(1_000));
    let ask = |program: &Watched, probe| judge(probe, &program.state, heartbeat.age(program.now), STALL, program.now);
    program.pass(STALL);
    assert_eq!(ask(&program, Probe::Live), Ok(()));
    program.pass(ms(1));
    assert_eq!(ask(&program, Probe::Live), Err(Unready::Stalled));
    assert_eq!(ask(&program, Probe::Ready), Err(Unready::Stalled));
    assert_eq!(ask(&program, Probe::Startup), Ok(()));
    program.handle(TERMINATE);
    assert_eq!(ask(&program, Probe::Live), Ok(()), "what kills it now kills its report");
    assert_eq!(ask(&program, Probe::Ready), Err(Unready::Stopping));
}

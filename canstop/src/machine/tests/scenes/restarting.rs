//! Restarts: after which end, when, and how many.

use super::super::build::{Options, TERMINATE, ended, failed, ms, panicked, service};
use super::super::harness::events;
use super::{cause, limit_exceeded, outcome, running, start, starts};
use crate::machine::cause::Cause;
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::input::{ExitReason, Input};
use crate::machine::restart::Restart;
use crate::machine::stage::ServiceOutcome;

#[test]
fn a_failed_service_is_restarted_after_a_pause_within_the_bounds() {
    let mut program = running([service("db", &[]).backoff(100, 10_000).limit(1_000)]);
    for run in 1..200 {
        let actions = program.handle(ended(0, run, if run % 2 == 0 { failed() } else { panicked() }));
        let [Event::ServiceEnded { restart_in: Some(pause), .. }] = events(&actions)[..] else { panic!("{actions:?}") };
        // The oracle checks the bounds. The ceiling doubles up to the upper one.
        assert!(*pause <= ms(200) * 2_u32.saturating_pow(run - 1).min(1_000));
        assert_eq!(program.state.wake_at(), Some(program.now + *pause));
        assert_eq!(starts(&program.pass(*pause - ms(1))), []);
        assert_eq!(starts(&program.pass(ms(1))), [start(0, run + 1)]);
    }
}

#[test]
fn restart_always_backs_off_after_ok_without_a_limit() {
    let mut program = running([service("poll", &[]).restart(Restart::Always)]);
    for run in 1..50 {
        assert_eq!(starts(&program.handle(ended(0, run, ExitReason::Done))), []);
        assert_eq!(starts(&program.pass(ms(200))), [start(0, run + 1)]);
    }
}

#[test]
fn one_failure_more_than_the_limit_stops_the_program() {
    let mut program = running([service("db", &[]), service("http", &["db"]).limit(1)]);
    program.handle(ended(1, 1, failed()));
    program.pass(ms(200));
    let actions = program.handle(ended(1, 2, panicked()));
    let failed = limit_exceeded("http", "index out of bounds");
    assert_eq!(cause(&actions), Some(&failed));
    assert_eq!(super::stop_by(&actions), [1, 0], "only the state of the front is left, so it is the dependency's turn");
    program.all([ended(0, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(
        (outcome(&program, 0), outcome(&program, 1)),
        (Some(ServiceOutcome::Stopped), Some(ServiceOutcome::Failed))
    );
    assert_eq!(program.state.exit().code(), 1);
}

#[test]
fn a_cancelled_run_does_not_report_an_earlier_error() {
    let mut program = running([service("db", &[]).limit(1)]);
    program.handle(ended(0, 1, failed()));
    program.pass(ms(200));
    let actions = program.handle(ended(0, 2, ExitReason::Dropped));
    let Some(Cause::ServiceFailed { error, .. }) = cause(&actions) else { panic!("{actions:?}") };
    assert_eq!(error, "its task was cancelled");
}

#[test]
fn a_lost_optional_service_does_not_stop_the_program() {
    let mut program = running([service("metrics", &[]).optional().limit(0), service("http", &["metrics"])]);
    let actions = program.handle(ended(0, 1, failed()));
    assert_eq!(events(&actions).last(), Some(&&Event::ServiceLost { service: "metrics".to_owned() }));
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Lost));
    assert!(!program.oracle.is_stopping());
    program.handle(TERMINATE);
    program.all([ended(1, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_stop_does_not_wait_for_a_backoff() {
    let mut program = running([service("db", &[]).backoff(4_000, 4_000)]);
    program.handle(ended(0, 1, failed()));
    program.handle(TERMINATE);
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Stopped));
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(program.state.exit(), Exit::Clean);
    assert_eq!(program.now.since_start(), ms(0));
}

#[test]
fn a_late_input_of_an_earlier_run_has_no_effect() {
    let mut program = running([service("db", &[])]);
    program.handle(ended(0, 1, failed()));
    program.pass(ms(200));
    assert_eq!(program.handle(ended(0, 1, failed())), []);
    assert!(program.state.services()[0].is_running());
}

#[test]
fn a_flapping_service_delays_no_other() {
    let mut program = running([service("flaps", &[]).limit(1_000), service("http", &[])]);
    for run in 1..20 {
        program.handle(ended(0, run, failed()));
        program.pass(ms(200));
    }
    assert!(program.state.services()[1].is_running());
    assert_eq!(program.state.services()[1].run.0, 1);
}

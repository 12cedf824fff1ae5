//! The start of the budget, the time that is given back to it, and the shortest one.

use std::time::Duration;

use super::super::build::{
    Options, TERMINATE, added, allowance, at, ended, failed, ms, ready, service, signal, state_dropped,
};
use super::super::harness::{Watched, deeds, events};
use super::{cause, is_over, outcome, program, running, start, starts, stop_by};
use crate::machine::action::{Abandoned, Action};
use crate::machine::backoff::{Backoff, Jitter};
use crate::machine::budget::Allowance;
use crate::machine::cause::{Cause, Signal};
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::restart::Limit;
use crate::machine::spec::{Ready, ServiceSpec, Start};
use crate::machine::stage::ServiceOutcome;
use crate::machine::state::State;

/// A grace of five seconds, of which two are the drain delay.
fn draining(specs: impl IntoIterator<Item = ServiceSpec>) -> Watched {
    let mut program = Watched::new(allowance(5_000, 2_000));
    program.all(specs.into_iter().map(added));
    program.handle(Input::RunCalled);
    program
}

#[test]
fn the_budget_begins_when_the_signal_is_delivered() {
    let mut program = running([service("http", &[])]);
    program.now = at(3_000);
    let actions = program.handle(signal(Signal::Terminate, 1_000));
    assert!(deeds(&actions).contains(&&Action::StopRoot { until: at(5_900) }), "{actions:?}");
    assert_eq!(program.state.deadline(), Some(at(6_000)));
}

#[test]
fn a_second_signal_is_judged_by_its_delivery() {
    let mut program = running([service("http", &[])]);
    program.now = at(1_000);
    program.handle(signal(Signal::Terminate, 1_000));
    program.now = at(3_000);
    program.handle(signal(Signal::Terminate, 1_050));
    assert!(!is_over(&program), "it was delivered within a tenth of a second");
    program.handle(signal(Signal::Terminate, 1_200));
    assert_eq!(program.state.exit(), Exit::Forced(Signal::Terminate));
}

#[test]
fn a_second_signal_ends_the_drain_delay_and_the_third_the_program() {
    let mut program = draining([service("http", &[])]);
    program.handle(TERMINATE);
    program.pass(ms(500));
    assert_eq!(stop_by(&program.handle(TERMINATE)), [0]);
    assert!(!is_over(&program));
    program.pass(ms(50));
    program.handle(TERMINATE);
    assert!(!is_over(&program), "a duplicate of the second");
    program.pass(ms(150));
    program.handle(TERMINATE);
    assert_eq!(program.state.exit(), Exit::Forced(Signal::Terminate));
}

#[test]
fn ctrl_c_in_a_terminal_skips_the_drain_delay() {
    let mut program = draining([service("http", &[])]);
    let ctrl_c = Input::Signal { signal: Signal::Interrupt, at: at(0), from_terminal: true };
    assert_eq!(stop_by(&program.handle(ctrl_c)), [0]);
    assert_eq!(program.state.deadline(), Some(at(5_000)));
}

#[test]
fn a_service_that_fails_in_the_drain_delay_is_restarted() {
    let mut program = draining([service("http", &[])]);
    program.handle(TERMINATE);
    program.handle(ended(0, 1, failed()));
    assert_eq!(starts(&program.pass(ms(200))), [start(0, 2)]);
    program.pass(ms(1_800));
    program.all([ended(0, 2, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!((outcome(&program, 0), program.state.exit()), (Some(ServiceOutcome::Stopped), Exit::Clean));
}

#[test]
fn a_pending_restart_is_made_in_the_drain_delay() {
    let mut program = draining([service("http", &[]), service("db", &[])]);
    program.handle(ended(0, 1, failed()));
    program.handle(TERMINATE);
    assert_eq!(starts(&program.pass(ms(200))), [start(0, 2)]);
}

#[test]
fn a_restarted_parent_starts_its_children_in_the_drain_delay() {
    let mut program = draining([service("shop", &[])]);
    program.handle(TERMINATE);
    program.handle(ended(0, 1, failed()));
    program.pass(ms(200));
    assert_eq!(starts(&program.handle(added(service("shop/till", &[]).child_of(0, 2)))), [start(1, 1)]);
    assert_eq!(stop_by(&program.pass(ms(1_800))), [1], "the child stops first");
}

#[test]
fn an_interrupted_job_exits_with_128_and_the_signal() {
    let mut program = program([]);
    program.handle(TERMINATE);
    program.handle(Input::MainEnded(ExitReason::Dropped));
    assert_eq!(program.state.exit().code(), 143);
}

#[test]
fn without_grace_each_service_has_time_for_one_poll() {
    let mut program = Watched::new(allowance(0, 0));
    program.all([added(service("db", &[])), added(service("http", &["db"])), Input::RunCalled]);
    program.handle(TERMINATE);
    assert!(!is_over(&program));
    program.pass(ms(5));
    program.all([ended(1, 1, ExitReason::Done), ended(0, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn without_grace_the_stop_ends_within_the_tail() {
    let mut program = Watched::new(allowance(0, 0));
    program.all([added(service("db", &[])), added(service("http", &["db"])), Input::RunCalled]);
    program.handle(TERMINATE);
    program.pass(ms(20));
    assert!(is_over(&program));
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn frozen_time_is_given_back_once_up_to_the_grace() {
    let mut program = running([service("http", &[])]);
    program.handle(TERMINATE);
    program.now = at(60_000);
    program.handle(Input::Frozen { span: ms(60_000) });
    assert_eq!(program.state.deadline(), Some(at(10_000)), "as much as the grace");
    program.handle(Input::Frozen { span: ms(60_000) });
    assert!(is_over(&program), "and no more");
}

#[test]
fn a_frozen_span_moves_the_end_of_a_stop() {
    let mut program = running([service("http", &[])]);
    program.handle(TERMINATE);
    program.now = at(6_000);
    let actions = program.handle(Input::Frozen { span: ms(3_000) });
    let until = at(7_900);
    let signalled = Action::StopService { id: ServiceId(0), run: RunId(1), until };
    assert_eq!(deeds(&actions), [&Action::StopRoot { until }, &signalled]);
    program.all([ended(0, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_frozen_span_does_not_count_against_a_start() {
    let mut program = running([service("db", &[]).notify()]);
    program.now = at(31_000);
    program.handle(Input::Frozen { span: ms(4_000) });
    assert!(!program.oracle.is_stopping());
    program.pass(ms(3_000));
    assert!(program.oracle.is_stopping());
}

#[test]
fn a_frozen_span_is_given_back_to_what_is_not_signalled_yet() {
    let mut program = running([service("db", &[]), service("http", &["db"])]);
    program.handle(TERMINATE);
    program.now = at(1_000);
    program.handle(Input::Frozen { span: ms(500) });
    let actions = program.handle(ended(1, 1, ExitReason::Done));
    let db = Action::StopService { id: ServiceId(0), run: RunId(1), until: at(5_400) };
    assert!(actions.contains(&db), "{actions:?}");
}

#[test]
fn a_frozen_span_in_the_teardown_is_given_back_to_main() {
    let mut program = running([service("http", &[])]);
    program.all([TERMINATE, ended(0, 1, ExitReason::Done)]);
    program.now = at(1_000);
    program.handle(Input::Frozen { span: ms(500) });
    program.pass(ms(4_499));
    assert!(!is_over(&program));
    program.pass(ms(1));
    assert!(is_over(&program));
}

#[test]
fn a_frozen_span_in_the_drain_delay_moves_a_budget_that_is_divided_again() {
    let mut program = Watched::new(allowance(5_000, 1_000));
    program.all([added(service("shop", &[])), Input::RunCalled, TERMINATE]);
    program.handle(added(service("shop/till", &[]).child_of(0, 1)));
    program.now = at(900);
    program.handle(Input::Frozen { span: ms(500) });
    program.pass(ms(600));
    assert_eq!(program.state.deadline(), Some(at(5_500)));
}

#[test]
fn a_grace_as_long_as_the_programs_is_allowed() {
    let mut program = running([service("http", &[]).grace(5_000)]);
    assert!(!program.oracle.is_stopping());
    let actions = program.handle(added(service("long", &[]).grace(5_001)));
    assert!(matches!(events(&actions)[..], [Event::ServiceRefused { .. }]), "{actions:?}");
}

#[test]
fn a_grace_set_before_the_stop_applies_to_it() {
    let mut program = running([service("http", &[])]);
    program.handle(Input::SetGrace(ms(700)));
    program.handle(TERMINATE);
    assert_eq!(program.state.deadline(), Some(at(700)));
    program.handle(Input::SetGrace(ms(9_000)));
    assert_eq!(program.state.deadline(), Some(at(700)), "too late");
}

#[test]
fn no_duration_is_too_long() {
    const MAX: Duration = Duration::MAX;
    for durations in [[MAX, MAX, MAX], [MAX, ms(0), MAX], [ms(1), MAX, MAX], [MAX, MAX, ms(3)]] {
        let [grace, drain_delay, own] = durations;
        let allowance = Allowance { grace, drain_delay };
        let mut state = State::new(allowance, Jitter::seeded(7));
        let mut handle = |input| drop(state.handle(at(1_000), input));
        let mut plan = [service("db", &[]), service("cache", &["db"]), service("http", &["cache"])];
        for spec in &mut plan {
            spec.grace = Some(own.min(grace));
            spec.start_timeout = own;
            spec.ready = Ready::Notify;
            spec.start = Start::Retry;
            spec.restart.backoff = Backoff { min: ms(0), max: MAX };
            spec.restart.limit = Limit { failures: 9, window: MAX };
        }
        plan.map(added).into_iter().for_each(&mut handle);
        [Input::RunCalled, ready(0, 1), ended(1, 1, failed())].into_iter().for_each(&mut handle);
        [Input::Frozen { span: MAX }, TERMINATE, Input::Frozen { span: MAX }].into_iter().for_each(&mut handle);
        [ended(0, 1, ExitReason::Done), Input::Wake].into_iter().for_each(&mut handle);
        assert!(state.wake_at().is_none_or(|wake_at| wake_at > at(1_000)));
    }
}

#[test]
fn a_failure_before_the_first_readiness_fails_the_start() {
    let mut program = running([service("db", &[]).notify()]);
    let actions = program.handle(ended(0, 1, failed()));
    let Some(Cause::StartFailed(fault)) = cause(&actions) else { panic!("{actions:?}") };
    assert!(fault.starts_with("`db` (main.rs:1) failed before it was ready: disk full"), "{fault}");
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(program.state.exit(), Exit::Failed);
}

#[test]
fn start_retry_and_optional_services_are_restarted() {
    for spec in [service("db", &[]).notify().retry(), service("db", &[]).notify().optional()] {
        let mut program = running([spec]);
        program.handle(ended(0, 1, failed()));
        assert_eq!(starts(&program.pass(ms(200))), [start(0, 2)]);
    }
}

#[test]
fn a_service_stops_only_when_its_state_is_dropped() {
    let mut program = running([service("db", &[]), service("http", &["db"])]).holding_state();
    program.handle(TERMINATE);
    assert!(stop_by(&program.handle(ended(1, 1, ExitReason::Done))).is_empty());
    assert_eq!(stop_by(&program.handle(state_dropped(1, 1, None))), [0]);
}

#[test]
fn a_state_not_dropped_in_time_makes_its_service_a_straggler() {
    let mut program = running([service("db", &[])]).holding_state();
    program.handle(TERMINATE);
    program.handle(ended(0, 1, ExitReason::Done));
    let actions = program.pass(ms(4_900));
    let db = Abandoned { services: vec![(ServiceId(0), RunId(1))], ..Abandoned::default() };
    assert_eq!(deeds(&actions)[0], &Action::Abandon(db));
    assert_eq!(program.state.exit(), Exit::Abandoned);
}

#[test]
fn a_state_that_panics_fails_its_service() {
    let mut program = running([service("db", &[]), service("http", &[])]).holding_state();
    program.handle(ended(0, 1, ExitReason::Done));
    let actions = program.handle(state_dropped(0, 1, Some("poisoned")));
    assert!(matches!(cause(&actions), Some(Cause::ServiceFailed { error, .. }) if error == "poisoned"));
    assert_eq!((outcome(&program, 0), program.state.exit()), (Some(ServiceOutcome::Failed), Exit::Failed));
}

#[test]
fn ready_of_a_service_that_is_ready_warns_once() {
    let mut program = running([service("http", &[])]);
    let actions = program.handle(ready(0, 1));
    assert!(matches!(events(&actions)[..], [Event::ReadyIgnored { location, .. }] if location.line == 7));
    assert_eq!(program.handle(ready(0, 1)), []);
}

#[test]
fn a_session_that_ended_is_not_abandoned_by_an_old_count() {
    let mut program = running([service("http", &[])]);
    program.handle(TERMINATE);
    program.now = at(4_900);
    let counted = Input::SessionsCounted(Vec::new());
    assert_eq!(program.state.handle(at(4_900), counted), []);
    program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(outcome(&program, 0), Some(ServiceOutcome::Stopped));
}

#[test]
fn a_limit_that_is_exceeded_says_how_far() {
    let mut program = running([service("http", &[])]);
    program.handle(ended(0, 1, failed()));
    program.pass(ms(200));
    let actions = program.handle(ended(0, 2, failed()));
    let text = cause(&actions).unwrap().to_string();
    assert_eq!(text, "service failed: `http`: failed 2 times in 10s, more than its limit of 1; last error: disk full");
}

//! What the machine answers when the control plane asks it.

use std::time::Duration;

use super::super::build::{Options, TERMINATE, added, allowance, at, ended, failed, ms, ready, restart, service, stop};
use super::super::harness::Watched;
use super::{program, running};
use crate::machine::action::Action;
use crate::machine::event::Event;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::phase::Phase;
use crate::machine::requests::Wait;
use crate::machine::source::{Platform, SettingSource, StopSources};
use crate::machine::stage::ServiceOutcome;
use crate::machine::state::State;
use crate::machine::status::ServiceState;
use crate::machine::stop_course::StopStep;

fn step(phase: Phase, services: &[usize], ends: u64) -> StopStep {
    StopStep { phase, services: services.iter().copied().map(ServiceId).collect(), ends: at(ends) }
}

#[test]
fn the_steps_of_a_stop_have_their_services_and_ends() {
    let mut program = Watched::new(allowance(5_000, 1_000));
    program.all([added(service("db", &[])), added(service("http", &["db"])), Input::RunCalled]);
    assert_eq!(program.state.stop_steps(), []);
    program.now = at(100);
    program.handle(TERMINATE);
    let [delay, front, dependencies, teardown] = [
        step(Phase::DrainDelay, &[], 1_100),
        step(Phase::Stopping(0), &[1], 4_000),
        step(Phase::Stopping(1), &[0], 5_000),
        step(Phase::TearingDown, &[], 5_100),
    ];
    assert_eq!(program.state.stop_steps(), [delay, front, dependencies, teardown]);
}

#[test]
fn a_stop_without_a_drain_delay_has_no_step_for_it() {
    let mut program = running([service("http", &[])]);
    program.all([TERMINATE, Input::FlushHookAdded]);
    assert_eq!(program.state.stop_steps()[0].phase, Phase::Stopping(0));
}

#[test]
fn flush_hooks_are_a_step_once_they_run() {
    let mut program = running([service("http", &[])]);
    program.all([Input::FlushHookAdded, TERMINATE]);
    assert_eq!(program.state.stop_steps().last().map(|step| step.phase), Some(Phase::TearingDown));
    program.all([ended(0, 1, ExitReason::Done), Input::MainEnded(ExitReason::Done)]);
    assert_eq!(program.state.stop_steps().last(), Some(&step(Phase::Flushing, &[], 1_000)));
}

#[test]
fn a_start_ends_when_the_last_service_must_be_ready() {
    let (mut db, mut http) = (service("db", &[]).notify(), service("http", &[]).notify());
    (db.start_timeout, http.start_timeout) = (ms(8_000), ms(3_000));
    let mut program = running([db, http]);
    assert_eq!(program.state.start_ends(), Some(at(8_000)));
    program.handle(ready(0, 1));
    assert_eq!(program.state.start_ends(), Some(at(3_000)));
    program.handle(ready(1, 1));
    assert_eq!(program.state.start_ends(), None);
}

#[test]
fn a_start_that_is_begun_anew_has_its_whole_time() {
    let mut db = service("db", &[]).notify();
    db.start_timeout = ms(8_000);
    let mut program = running([db]);
    program.now = at(5_000);
    program.handle(restart(0));
    program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(program.state.start_ends(), Some(at(13_000)));
}

#[test]
fn sessions_are_counted_from_the_stop_request_on() {
    let mut program = running([service("http", &[])]);
    assert!(!program.state.watches_sessions());
    program.handle(TERMINATE);
    assert!(program.state.watches_sessions());
}

#[test]
fn what_ends_before_a_service_waits_for_itself() {
    let mut program = running([
        service("shop", &[]),
        service("web", &["shop"]),
        service("cache", &[]).bound_to(&["shop"]),
        service("other", &[]),
    ]);
    program.handle(added(service("shop/till", &[]).child_of(0, 1)));
    let waits = |program: &Watched, restart| {
        let wait = Wait { id: ServiceId(0), before: RunId::default(), restart };
        (0..5).map(|waiter| program.state.waits_for_itself(ServiceId(waiter), wait)).collect::<Vec<_>>()
    };
    assert_eq!(waits(&program, false), [true, true, true, false, true]);
    assert_eq!(waits(&program, true), [true, false, true, false, true], "a restart does not end what only comes after");
    let of_another_run = Wait { id: ServiceId(0), before: RunId(1), restart: false };
    assert!(!program.state.waits_for_itself(ServiceId(0), of_another_run));
    let unknown = Wait { id: ServiceId(9), before: RunId::default(), restart: false };
    assert!(!program.state.waits_for_itself(ServiceId(0), unknown));
}

#[test]
fn the_state_of_a_service_follows_its_run() {
    let mut program = program([service("db", &[]).notify(), service("http", &[]), service("other", &[])]);
    let state = |program: &Watched, id: usize| program.state.services()[id].state();
    assert_eq!(state(&program, 0), ServiceState::Waiting);
    program.handle(Input::RunCalled);
    assert_eq!((state(&program, 0), state(&program, 1)), (ServiceState::Starting, ServiceState::Ready));
    program.handle(ready(0, 1));
    assert_eq!(state(&program, 0), ServiceState::Ready);
    program.handle(ended(0, 1, failed()));
    assert_eq!(state(&program, 0), ServiceState::BackingOff);
    program.handle(stop(1));
    assert_eq!(state(&program, 1), ServiceState::Stopping);
    program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(state(&program, 1), ServiceState::Over(ServiceOutcome::Stopped));
}

#[test]
fn a_services_restarts_and_the_changed_services_are_counted() {
    let mut program = running([service("http", &[]), service("other", &[])]);
    let restarts = |program: &Watched| program.state.services()[0].restarts();
    assert_eq!(restarts(&program), 0);
    let _ = program.state.take_changed();
    for run in 1..=2 {
        program.handle(restart(0));
        program.handle(ended(0, run, ExitReason::Done));
    }
    assert_eq!(restarts(&program), 2);
    assert_eq!(program.state.take_changed(), [ServiceId(0)]);
    assert_eq!(program.state.take_changed(), []);
}

/// A machine whose times come from these places.
fn from(grace: SettingSource, drain_delay: SettingSource) -> State {
    Watched::new(allowance(5_000, 1_000)).state.with_sources(StopSources { grace, drain_delay })
}

#[test]
fn code_sets_the_grace_unless_the_operator_did() {
    const VARIABLE: SettingSource = SettingSource::Environment("CANSTOP_GRACE");
    let mut program = from(VARIABLE, SettingSource::Default);
    assert!(!program.takes_grace());
    let _ = program.handle(at(0), Input::SetGrace(ms(700)));
    let _ = program.handle(at(0), TERMINATE);
    assert_eq!(program.deadline(), Some(at(5_000)));
    let mut program = from(SettingSource::Default, SettingSource::Default);
    assert!(program.takes_grace());
    let _ = program.handle(at(0), TERMINATE);
    assert!(!program.takes_grace(), "a stop keeps what it was allowed");
}

const KUBERNETES: SettingSource = SettingSource::Platform(Platform::Kubernetes);

#[test]
fn a_platforms_drain_delay_keeps_its_share_of_a_grace_from_code() {
    for (source, grace, ends) in [
        (KUBERNETES, 2_000, 400),
        (KUBERNETES, 10_000, 2_000),
        (KUBERNETES, 60_000, 5_000),
        (SettingSource::Code, 2_000, 1_000),
    ] {
        let mut program = from(SettingSource::Default, source);
        let inputs = [added(service("http", &[])), Input::RunCalled, Input::SetGrace(ms(grace)), TERMINATE];
        inputs.into_iter().for_each(|input| drop(program.handle(at(0), input)));
        assert_eq!(program.stop_steps()[0], step(Phase::DrainDelay, &[], ends));
    }
}

/// The drain delays that these inputs report as shortened, and the graces.
fn shortened(source: SettingSource, inputs: impl IntoIterator<Item = Input>) -> Vec<(Duration, Duration)> {
    let mut program = from(SettingSource::Code, source);
    let actions = inputs.into_iter().flat_map(|input| program.handle(at(0), input));
    let seen = actions.filter_map(|action| match action {
        Action::Emit(Event::DrainDelayShortened { drain_delay, grace, .. }) => Some((drain_delay, grace)),
        _ => None,
    });
    seen.collect()
}

#[test]
fn a_drain_delay_that_is_shorter_than_the_platforms_is_reported() {
    let start = || [added(service("http", &[])), Input::RunCalled];
    assert_eq!(shortened(KUBERNETES, start()), [(ms(1_000), ms(5_000))]);
    let early = [Input::SetGrace(ms(2_000))].into_iter().chain(start());
    assert_eq!(shortened(KUBERNETES, early), [(ms(400), ms(2_000))]);
    let late = start().into_iter().chain([Input::SetGrace(ms(2_000))]);
    assert_eq!(shortened(KUBERNETES, late), [(ms(1_000), ms(5_000)), (ms(400), ms(2_000))]);
    let enough = [Input::SetGrace(ms(25_000))].into_iter().chain(start());
    assert_eq!(shortened(KUBERNETES, enough), []);
    assert_eq!(shortened(KUBERNETES, [Input::RunCalled]), [], "nothing gets requests");
    assert_eq!(shortened(SettingSource::Code, start()), [], "it is what code wants");
    assert_eq!(shortened(SettingSource::Platform(Platform::Fly), start()), [], "Fly has none");
}

//! A second signal, and one so close to the first that it is a duplicate.

use super::super::build::{TERMINATE, added, allowance, ended, ms, service, sessions_of, shutdown, signal};
use super::super::harness::{Watched, deeds, events};
use super::{is_over, running};
use crate::machine::action::Action;
use crate::machine::cause::Signal;
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::input::{ExitReason, Input};

const INTERRUPT: Input = signal(Signal::Interrupt, u64::MAX);

#[test]
fn a_second_signal_forces_the_exit_with_128_and_its_number() {
    for (second, code) in [(TERMINATE, 143), (INTERRUPT, 130)] {
        let mut program = running([service("http", &[])]);
        program.handle(sessions_of(0, 2));
        program.handle(TERMINATE);
        program.pass(ms(101));
        assert_eq!(program.handle(second), [Action::ForceExit]);
        assert!(is_over(&program));
        assert_eq!(program.state.exit().code(), code);
        assert_eq!(program.state.left().services.len(), 1);
    }
}

#[test]
fn a_signal_within_a_tenth_of_a_second_is_the_same_one() {
    let mut program = running([service("http", &[])]);
    program.handle(INTERRUPT);
    program.pass(ms(100));
    let actions = program.handle(TERMINATE);
    assert_eq!(events(&actions), [&Event::DuplicateSignal { signal: Signal::Terminate }]);
    assert_eq!(deeds(&actions), Vec::<&Action>::new());
    assert!(!is_over(&program));
}

#[test]
fn the_first_signal_after_another_cause_does_not_force() {
    let mut program = running([service("http", &[])]);
    program.handle(shutdown());
    program.pass(ms(1_000));
    program.handle(TERMINATE);
    assert!(!is_over(&program));
    program.pass(ms(101));
    program.handle(TERMINATE);
    assert_eq!(program.state.exit(), Exit::Forced(Signal::Terminate));
}

#[test]
fn a_forced_exit_is_the_gravest() {
    let mut program = running([service("http", &[]), service("db", &[])]);
    program.handle(TERMINATE);
    program.handle(ended(1, 1, ExitReason::Panicked("oh".to_owned())));
    program.pass(ms(4_900));
    assert_eq!(program.state.exit(), Exit::Abandoned);
    program.handle(TERMINATE);
    assert_eq!(program.state.exit(), Exit::Forced(Signal::Terminate));
}

#[test]
fn inputs_after_the_end_have_no_effect() {
    let mut program = running([service("http", &[])]);
    program.handle(TERMINATE);
    program.pass(ms(101));
    program.handle(TERMINATE);
    assert_eq!(program.all([ended(0, 1, ExitReason::Done), TERMINATE, Input::RunCalled, Input::Wake]), []);
    assert_eq!(program.state.wake_at(), None);
}

#[test]
fn the_first_signal_of_a_requested_stop_is_reported_once() {
    let mut program = Watched::new(allowance(5_000, 1_000));
    program.all([added(service("http", &[])), Input::RunCalled, shutdown()]);
    assert_eq!(events(&program.handle(TERMINATE)), [&Event::DuplicateSignal { signal: Signal::Terminate }]);
}

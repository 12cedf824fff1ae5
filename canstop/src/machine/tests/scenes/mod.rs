//! Single cases.

mod asked;
mod body_of_main;
mod bound;
mod budget_rules;
mod by_the_book;
mod children;
mod dependencies;
mod flushing;
mod groups;
mod ids;
mod handing_over;
mod readiness;
mod restarting;
mod second_signal;
mod starting;
mod stopping;
mod stopping_alone;

use std::time::Duration;

use super::build::allowance;
use super::harness::Watched;
use crate::machine::action::Action;
use crate::machine::cause::{Cause, LimitExceeded};
use crate::machine::event::Event;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::input::Input;
use crate::machine::spec::ServiceSpec;
use crate::machine::stage::{ServiceOutcome, Stage};
use crate::machine::tests::build::added;

/// A program with five seconds of grace and no drain delay.
fn program(specs: impl IntoIterator<Item = ServiceSpec>) -> Watched {
    let mut program = Watched::new(allowance(5_000, 0));
    program.all(specs.into_iter().map(added));
    program
}

/// The same, and `main` waits in `run()`.
fn running(specs: impl IntoIterator<Item = ServiceSpec>) -> Watched {
    let mut program = program(specs);
    program.handle(Input::RunCalled);
    program
}

fn outcome(program: &Watched, id: usize) -> Option<ServiceOutcome> {
    match program.state.services()[id].stage {
        Stage::Over(outcome) => Some(outcome),
        _ => None,
    }
}

fn start(id: usize, run: u32) -> Action {
    Action::Start { id: ServiceId(id), run: RunId(run) }
}

fn starts(actions: &[Action]) -> Vec<Action> {
    actions.iter().filter(|action| matches!(action, Action::Start { .. })).cloned().collect()
}

/// The services that are signalled to stop, in order.
fn stop_by(actions: &[Action]) -> Vec<usize> {
    let stop_by = |action: &Action| match action {
        Action::StopService { id: ServiceId(id), .. } => Some(*id),
        _ => None,
    };
    actions.iter().filter_map(stop_by).collect()
}

/// The cause of the stop that these actions request, if any.
fn cause(actions: &[Action]) -> Option<&Cause> {
    actions.iter().find_map(|action| match action {
        Action::Emit(Event::StopRequested { cause, .. }) => Some(cause),
        _ => None,
    })
}

/// A second failure when the limit is one in ten seconds.
fn limit_exceeded(service: &str, error: &str) -> Cause {
    let (service, error) = (service.to_owned(), error.to_owned());
    let limit = LimitExceeded { failures: 2, limit: 1, window: Duration::from_secs(10) };
    Cause::ServiceFailed { service, error, limit: Some(limit) }
}

fn is_over(program: &Watched) -> bool {
    program.oracle.is_over()
}

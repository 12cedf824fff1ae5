//! Start, run and stop without a fault.

use std::time::Duration;

use super::super::build::{Options, TERMINATE, at, ended, ms, ready, service};
use super::super::harness::deeds;
use super::program;
use crate::machine::action::Action;
use crate::machine::cause::{Cause, Signal};
use crate::machine::event::Event;
use crate::machine::exit::Exit;
use crate::machine::id::{RunId, ServiceId};
use crate::machine::input::{ExitReason, Input};
use crate::machine::source::SettingSource;

const FIRST: RunId = RunId(1);
const WRITER: ServiceId = ServiceId(0);
const HTTP: ServiceId = ServiceId(1);

#[test]
fn dependencies_start_first_and_stop_last() {
    let mut program = program([service("writer", &[]).notify(), service("http", &["writer"])]);

    let actions = program.handle(Input::RunCalled);
    assert_eq!(actions[0], Action::Start { id: WRITER, run: FIRST });
    assert_eq!(actions[1], Action::Emit(Event::ServiceStarted { service: "writer".to_owned(), run: 1 }));
    assert_eq!(actions.len(), 2, "http waits for the writer to be ready");

    program.now = at(100);
    let actions = program.handle(ready(0, 1));
    assert_eq!(actions[0], Action::Emit(Event::ServiceReady { service: "writer".to_owned() }));
    assert_eq!(actions[1], Action::Start { id: HTTP, run: FIRST });
    assert_eq!(program.state.wake_at(), None, "nothing is left to wait for");

    program.now = at(60_000);
    let actions = program.handle(TERMINATE);
    assert!(actions.contains(&Action::Emit(Event::StopRequested {
        cause: Cause::Signal(Signal::Terminate),
        grace: ms(5_000),
        grace_source: SettingSource::Default,
        drain_delay: Duration::ZERO,
        drain_delay_source: SettingSource::Default,
    })));
    // A second is reserved for the writer, and a tenth of one for the teardown.
    let front_ends = at(63_900);
    assert_eq!(
        deeds(&actions),
        [
            &Action::WatchSessions,
            &Action::BeginStop,
            &Action::StopRoot { until: front_ends },
            &Action::StopService { id: HTTP, run: FIRST, until: front_ends },
        ]
    );

    program.now = at(60_200);
    let actions = program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(deeds(&actions), [&Action::StopService { id: WRITER, run: FIRST, until: at(64_900) }]);

    program.now = at(60_300);
    let actions = program.handle(ended(0, 1, ExitReason::Done));
    assert_eq!(deeds(&actions), [&Action::StopRoot { until: at(65_000) }, &Action::ReturnFromRun]);

    let actions = program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(actions, [Action::Finish]);
    assert_eq!(program.state.exit().code(), 0);
}

#[test]
fn a_program_finishes_when_all_services_are_done() {
    let mut program = program([service("import", &[]), service("export", &["import"])]);
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(super::cause(&program.handle(ended(0, 1, ExitReason::Done))), None);
    let actions = program.handle(ended(1, 1, ExitReason::Done));
    assert_eq!(super::cause(&actions), Some(&Cause::Finished));
    assert_eq!(actions.last(), Some(&Action::Finish));
    assert_eq!(program.state.exit(), Exit::Clean);
}

#[test]
fn a_program_without_services_finishes_at_once() {
    let mut program = program([]);
    assert_eq!(super::cause(&program.handle(Input::RunCalled)), Some(&Cause::Finished));
    program.handle(Input::MainEnded(ExitReason::Done));
    assert_eq!(program.state.exit(), Exit::Clean);
}

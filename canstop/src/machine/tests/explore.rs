//! Every order of inputs, breadth first. Equal states are visited once.

use std::collections::HashSet;
use std::time::Duration;

use super::build::{
    TERMINATE, added, ended, failed, group, ms, panicked, ready, root_sessions, service, sessions_in, sessions_of,
    shutdown, state_dropped,
};
use super::harness::Watched;
use super::oracle::Seen;
use crate::machine::cause::Signal;
use crate::machine::id::{Owner, ServiceId};
use crate::machine::input::{ExitReason, Input};

/// A step that may come next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// An input now.
    Now(Input),
    /// An input after a while, in which the machine is woken whenever it asks to be.
    After(Duration, Input),
    /// The next wake that the machine asks for.
    Wake,
    /// A wake later than the machine asked for.
    WakeLate(Duration),
}

/// How deep and how wide the search is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breadth {
    pub(super) depth: usize,
    /// Includes inputs that differ little from others, such as a panic beside an error.
    pub(super) everything: bool,
}

/// Counts of the search.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) states: usize,
    pub(super) steps: usize,
    pub(super) finished: usize,
}

/// Takes every order of steps from these states. The oracle judges each step.
pub(super) fn explore(roots: Vec<Watched>, breadth: Breadth) -> Tally {
    let mut tally = Tally::default();
    let mut seen = HashSet::new();
    let mut frontier = roots;
    for _ in 0..=breadth.depth {
        frontier.retain(|watched| seen.insert(watched.fingerprint()));
        let mut next = Vec::new();
        for watched in &frontier {
            tally.states += 1;
            watched.assert_spurious_wakes_are_harmless();
            if watched.oracle.is_over() {
                tally.finished += 1;
                assert_nothing_happens_after_the_end(watched);
                continue;
            }
            for step in steps(watched, breadth) {
                tally.steps += 1;
                let mut after = watched.clone();
                take(&mut after, step);
                next.push(after);
            }
        }
        frontier = next;
    }
    tally
}

fn take(watched: &mut Watched, step: Step) {
    match step {
        Step::Now(event) => drop(watched.handle(event)),
        Step::After(pause, event) => {
            watched.pass(pause);
            watched.handle(event);
        }
        Step::Wake => {
            let wake_at = watched.state.wake_at().unwrap_or(watched.now);
            watched.pass(wake_at.since(watched.now));
        }
        Step::WakeLate(late) => {
            watched.now = watched.state.wake_at().unwrap_or(watched.now) + late;
            watched.handle(Input::Wake);
        }
    }
}

fn assert_nothing_happens_after_the_end(watched: &Watched) {
    for event in [TERMINATE, Input::RunCalled, Input::MainEnded(failed()), shutdown(), ended(0, 1, failed())] {
        let mut watched = watched.clone();
        if !watched.oracle.services().is_empty() {
            watched.handle(event);
        }
    }
}

/// Every input that the control plane could give next.
fn steps(watched: &Watched, breadth: Breadth) -> Vec<Step> {
    let oracle = &watched.oracle;
    let mut steps = vec![Step::Now(TERMINATE), Step::Now(shutdown())];
    if breadth.everything {
        let from_terminal = Input::Signal { signal: Signal::Interrupt, at: watched.now, from_terminal: true };
        let delivered_before =
            Input::Signal { signal: Signal::Hangup, at: watched.now - ms(200), from_terminal: false };
        steps.extend([from_terminal, delivered_before].map(Step::Now));
        steps.push(Step::After(ms(300), Input::Frozen { span: ms(300) }));
    }
    if oracle.had_signal() {
        steps.push(Step::After(ms(150), TERMINATE));
    }
    if watched.state.wake_at().is_some() {
        steps.push(Step::Wake);
        if breadth.everything {
            steps.push(Step::WakeLate(ms(700)));
        }
    }
    steps.extend(of_main(watched, breadth).into_iter().map(Step::Now));
    steps.extend(oracle.hand_over_inputs().into_iter().map(|input| Step::Now(Input::HandOver(input))));
    for (id, seen) in oracle.services().iter().enumerate() {
        steps.extend(of_service(id, seen, breadth).into_iter().map(Step::Now));
    }
    let front_has = oracle.root().alive;
    steps.push(Step::Now(root_sessions(1 - front_has)));
    for (group, seen) in oracle.groups().iter().enumerate() {
        steps.push(Step::Now(sessions_in(group, 1 - seen.sessions.alive)));
    }
    if breadth.everything && oracle.groups().is_empty() {
        steps.push(Step::Now(group(Owner::Root, 300)));
    }
    steps
}

fn of_main(watched: &Watched, breadth: Breadth) -> Vec<Input> {
    let main = watched.oracle.main();
    let mut events = Vec::new();
    if main.is_before_run() || breadth.everything {
        events.push(Input::RunCalled);
    }
    if main.is_before_run() && !main.listens {
        events.push(Input::MainListens);
    }
    if !main.ended || breadth.everything {
        events.extend([Input::MainEnded(ExitReason::Done), Input::MainEnded(failed())]);
    }
    if !main.ended && breadth.everything {
        events.extend([Input::MainEnded(panicked()), Input::MainEnded(ExitReason::Dropped)]);
        // A service that fits into the plan, and one that does not.
        let known = watched.oracle.services().len();
        if known < 3 {
            events.push(added(service(&format!("late {known}"), &["a"])));
            events.push(added(service("a", &[])));
        }
    }
    events
}

fn of_service(id: usize, seen: &Seen, breadth: Breadth) -> Vec<Input> {
    let mut events = Vec::new();
    if !seen.asked_to_stop {
        events.push(Input::StopService { id: ServiceId(id), before: seen.before });
    }
    if !seen.has_started() {
        return events;
    }
    if seen.restarts.is_none() {
        events.push(Input::RestartService { id: ServiceId(id), before: seen.before });
    }
    let run = seen.run.0;
    if seen.live {
        events.extend([ended(id, run, ExitReason::Done), ended(id, run, failed())]);
        events.push(ended(id, run, ExitReason::Dropped));
        if !seen.ready || breadth.everything {
            events.push(ready(id, run));
        }
        if breadth.everything {
            events.push(ended(id, run, panicked()));
        }
    } else {
        events.push(ended(id, run, failed()));
        events.push(ready(id, run));
    }
    if seen.dropping {
        events.push(state_dropped(id, run, None));
        if breadth.everything {
            events.push(state_dropped(id, run, Some("poisoned")));
        }
    }
    if run > 1 {
        events.push(ended(id, run - 1, failed()));
        events.push(ready(id, run - 1));
    }
    events.push(sessions_of(id, 1 - seen.sessions.alive));
    events
}

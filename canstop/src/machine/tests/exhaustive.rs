//! Small plans through every order of inputs.
//!
//! The depths suit every run of the tests. `CANSTOP_DEPTH=1` goes one input deeper and takes ten times as long.

use super::build::{
    Options, TERMINATE, added, allowance, ended, failed, group, ms, ready, restart, service, sessions_in, stop,
};
use super::explore::{Breadth, explore};
use super::harness::Watched;
use crate::machine::id::{Owner, ServiceId};
use crate::machine::input::Input;
use crate::machine::restart::Restart;
use crate::machine::spec::{Ready, ServiceSpec};

/// The states to start from: before `run()`, with all services running, with one in its backoff, stopping alone or
/// restarting, and with the stop requested. A state that is deep from the first is near to one of the others.
fn roots(specs: &[ServiceSpec]) -> Vec<Watched> {
    let mut setting_up = Watched::new(allowance(5_000, 1_000));
    setting_up.all(specs.iter().cloned().map(added));
    let mut running = setting_up.clone();
    running.handle(Input::RunCalled);
    while let Some(id) = unready(&running) {
        running.handle(ready(id, 1));
    }
    let mut roots = vec![setting_up, running.clone()];
    if !specs.is_empty() {
        let mut backing_off = running.clone();
        backing_off.handle(ended(0, 1, failed()));
        let mut stopping_alone = running.clone();
        stopping_alone.handle(stop(0));
        let mut restarting = running.clone();
        restarting.handle(restart(0));
        roots.extend([backing_off, stopping_alone, restarting]);
    }
    running.handle(TERMINATE);
    roots.push(running.clone());
    // After the drain delay.
    running.pass(ms(1_000));
    roots.push(running);
    roots
}

fn unready(watched: &Watched) -> Option<usize> {
    watched.oracle.services().iter().position(|seen| seen.live && !seen.ready)
}

fn explore_plan(specs: &[ServiceSpec], breadth: Breadth) {
    explore_from(roots(specs), breadth);
}

fn explore_from(roots: Vec<Watched>, mut breadth: Breadth) {
    breadth.depth +=
        std::env::var("CANSTOP_DEPTH").map_or(0, |depth| depth.parse().expect("CANSTOP_DEPTH is a number"));
    let services = roots[0].oracle.services().len();
    let tally = explore(roots, breadth);
    println!("{services} services: {tally:?}");
    assert!(tally.finished > 0, "no order of inputs reached the end");
}

#[test]
fn no_service_at_all() {
    explore_plan(&[], Breadth { depth: 4, everything: true });
}

#[test]
fn hand_overs_in_every_order() {
    for predecessor in [None, Some(1)] {
        let mut serving = Watched::new(allowance(5_000, 1_000)).handing_over(ms(2_000), predecessor);
        serving.all([added(service("a", &[]).notify()), Input::RunCalled]);
        let starting = serving.clone();
        serving.handle(ready(0, 1));
        explore_from(vec![starting, serving], Breadth { depth: 3, everything: false });
    }
}

#[test]
fn one_service_under_every_policy() {
    for restart in [Restart::Never, Restart::OnFailure, Restart::Always] {
        for readiness in [Ready::Started, Ready::Notify] {
            for optional in [false, true] {
                let mut spec = service("a", &[]).restart(restart);
                spec.ready = readiness;
                spec.optional = optional;
                explore_plan(&[spec], Breadth { depth: 2, everything: true });
            }
        }
    }
}

#[test]
fn two_services_in_every_shape() {
    let a = service("a", &[]).notify().grace(300);
    for after in [&[][..], &["a"]] {
        for b in [service("b", after), service("b", after).cancel().grace(300)] {
            explore_plan(&[a.clone(), b.restart(Restart::Always)], Breadth { depth: 3, everything: false });
        }
    }
}

#[test]
fn two_bound_services() {
    let chain = [service("a", &[]).grace(300), service("b", &[]).bound_to(&["a"]).notify()];
    let pair = [service("a", &[]).bound_to(&["b"]), service("b", &[]).bound_to(&["a"]).grace(300)];
    for plan in [chain, pair] {
        explore_plan(&plan, Breadth { depth: 3, everything: false });
    }
}

/// A child, with a service outside that needs its parent or that it needs itself.
#[test]
fn a_parent_and_its_child() {
    for (outside, needs) in [(service("b", &["a"]), &[][..]), (service("b", &[]), &["b"])] {
        let mut roots = roots(&[service("a", &[]).restart(Restart::Always), outside]);
        // A child belongs to a run.
        roots.retain(|root| root.oracle.services()[0].has_started());
        for root in &mut roots {
            root.handle(added(service("a/c", needs).child_of(0, 1).grace(300)));
        }
        explore_from(roots, Breadth { depth: 2, everything: false });
    }
}

#[test]
fn three_services_in_every_shape() {
    let shapes: [[&[&str]; 3]; 5] = [
        [&[], &[], &[]],
        [&[], &["a"], &["b"]],
        [&[], &["a"], &["a"]],
        [&["b", "c"], &[], &[]],
        [&[], &["a"], &["a", "b"]],
    ];
    for [a, b, c] in shapes {
        let plan = [service("a", a).grace(300), service("b", b).notify(), service("c", c).optional().cancel()];
        explore_plan(&plan, Breadth { depth: 2, everything: false });
    }
}

#[test]
fn sessions_with_a_grace_of_their_own_under_every_owner() {
    let mut roots = roots(&[service("a", &[]), service("b", &["a"]).grace(500)]);
    // Sessions belong to services that have started.
    roots.retain(|root| root.oracle.services()[1].has_started());
    for root in &mut roots {
        root.all([group(Owner::Root, 300), group(Owner::Service(ServiceId(0)), 300)]);
        root.all([group(Owner::Service(ServiceId(1)), 800), sessions_in(1, 1), sessions_in(2, 1)]);
    }
    explore_from(roots, Breadth { depth: 2, everything: false });
}

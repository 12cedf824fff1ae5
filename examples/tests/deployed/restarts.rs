//! Stops the programs at random moments under load and starts them again; at the end the database holds
//! everything that was promised, once.
//!
//! Every tenth stop is a SIGKILL. Events that the tracker had answered with 201 and not committed by then are
//! lost, and are counted; events posted with `durable=true` are never lost.
//!
//! By default each test runs a few rounds. To run all of them, which takes some minutes:
//! `CANSTOP_RESTARTS=full cargo test --release -p canstop-examples restarts -- --nocapture`

use std::collections::HashSet;
use std::time::Instant;

use canstop_examples::program::{Program, Signal};
use uuid::Uuid;

use crate::jobs::{assert_each_is_booked_once, enqueue, run, stats};
use crate::support::{Load, Random, Server, TestDatabase};

const ROUNDS: &str = "CANSTOP_RESTARTS";
const ROUNDS_ON_SQLITE: u32 = 200;
const ROUNDS_ON_POSTGRESQL: u32 = 50;
/// Enough to include one SIGKILL.
const SHORT: u32 = KILL_EVERY;
const KILL_EVERY: u32 = 10;

#[test]
fn restarts_lose_or_repeat_no_event_in_sqlite() {
    lose_and_double_no_event(&TestDatabase::sqlite(), rounds(ROUNDS_ON_SQLITE));
}

#[test]
fn restarts_lose_or_repeat_no_event_in_postgresql() {
    if let Some(server) = Server::start() {
        lose_and_double_no_event(&server.place(), rounds(ROUNDS_ON_POSTGRESQL));
    }
}

#[test]
fn restarts_lose_or_repeat_no_job_in_sqlite() {
    lose_and_double_no_job(&TestDatabase::sqlite(), rounds(ROUNDS_ON_SQLITE));
}

#[test]
fn restarts_lose_or_repeat_no_job_in_postgresql() {
    if let Some(server) = Server::start() {
        lose_and_double_no_job(&server.place(), rounds(ROUNDS_ON_POSTGRESQL));
    }
}

fn lose_and_double_no_event(place: &TestDatabase, rounds: u32) {
    let began = Instant::now();
    let mut random = Random::new();
    let (mut last, mut stored, mut promised) = (0, 0, 0);
    let (mut killed_with, mut lost) = (0, 0);
    for round in 1..=rounds {
        let mut program = Program::new("tracker").env("LISTEN", "127.0.0.1:0").env("DATABASE_URL", &place.url).start();
        let address = program.address();
        let plain = Load::begin(&address, "/events");
        let durable = Load::begin(&address, "/events?durable=true");
        plain.wait_for_created(1 + random.below(2000));
        let signal = signal_of(round);
        program.signal(signal);
        let (plain, durable) = (plain.end(), durable.end());
        let ended = program.wait();

        let events = place.events_after(last);
        (last, stored) = (events.last, stored + events.ids.len());
        promised += plain.len() + durable.len();
        let missing = |promised: &HashSet<Uuid>| promised.difference(&events.ids).count();
        assert_eq!(missing(&durable), 0, "round {round}: commits are lost\n{ended}");
        match signal {
            Signal::Kill => {
                killed_with += plain.len();
                lost += missing(&plain);
            }
            _ => {
                assert_eq!(missing(&plain), 0, "round {round}: promises are lost\n{ended}");
                assert!(ended.has_written("0 abandoned, exit code 0"), "round {round}: {ended}");
                assert_eq!(ended.code, Some(0), "round {round}: {ended}");
            }
        }
    }
    // A server may commit, a moment later, what a killed process had sent to it.
    let stored = stored + place.events_after(last).ids.len();
    assert_eq!(place.events_after(0).ids.len(), stored, "events have gone from the database");
    println!(
        "tracker: {rounds} rounds in {:.0?}, {promised} events answered with 201, {stored} stored, none twice; \
         {} rounds ended by SIGKILL cost {lost} of the {killed_with} answered in them, and no durable one",
        began.elapsed(),
        rounds / KILL_EVERY,
    );
}

fn lose_and_double_no_job(place: &TestDatabase, rounds: u32) {
    const JOBS_A_ROUND: u32 = 40;
    let began = Instant::now();
    let mut random = Random::new();
    let jobs = rounds * JOBS_A_ROUND;
    enqueue(place, jobs);
    for round in 1..=rounds {
        let mut program = run(place, &["--check-time", "3ms", "--lease", "500ms"]);
        program.wait_for("running jobs");
        // Each round leaves some jobs to the next, even if all rounds before took their longest time.
        for _ in 0..random.below(JOBS_A_ROUND as usize - 8) {
            program.wait_for(": done");
        }
        let signal = signal_of(round);
        program.signal(signal);
        let ended = program.wait();
        if !matches!(signal, Signal::Kill) {
            assert!(ended.stderr.contains("0 abandoned, exit code 0"), "round {round}: {ended}");
            assert_eq!(ended.code, Some(0), "round {round}: {ended}");
        }
    }
    let left = stats(place);
    let ended = run(place, &["--check-time", "1ms", "--drain"]).wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(stats(place), format!("0 queued, 0 running, {jobs} done"));
    assert_each_is_booked_once(place, jobs.into());
    println!("jobs: {rounds} rounds in {:.0?}, then {left}; at the end {jobs} jobs are done once", began.elapsed());
}

fn signal_of(round: u32) -> Signal {
    if round.is_multiple_of(KILL_EVERY) { Signal::Kill } else { Signal::Terminate }
}

fn rounds(full: u32) -> u32 {
    match std::env::var(ROUNDS).as_deref() {
        Err(_) => SHORT,
        Ok("full") => full,
        Ok(other) => panic!("{ROUNDS}={other} is not known; write {ROUNDS}=full, or leave it out for a few rounds"),
    }
}

//! Faults around the tracker. In each case every event answered with 201 is stored or reported, and the exit
//! comes by the deadline.

use std::collections::HashSet;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use canstop_examples::Client;
use canstop_examples::program::{Ended, Program, Running, Signal};
use canstop_tests::Stopwatch;
use uuid::Uuid;

use crate::support::{Load, LockedDatabase, Server, Shutdown, SmallDisk, TestDatabase};

/// The tracker's grace, and a quarter of a second for its exit.
const DEADLINE: Duration = Duration::from_millis(5000 + 250);
/// Large enough to serve the clients, and small enough to fill soon.
const SMALL_QUEUE: &str = "200";

#[test]
fn a_database_outage_of_five_seconds_loses_nothing() {
    let Some(server) = Server::start() else { return };
    let place = server.place();
    let mut program = tracker(&place).env("QUEUE", SMALL_QUEUE).start();
    let load = Load::begin(&program.address(), "/events");
    load.wait_for_created(500);

    server.stop(Shutdown::Immediate);
    program.wait_for("cannot write");
    let gone = Instant::now();
    assert_eq!(load.wait_for_refusal().as_deref(), Some("1"), "a refused client gets a `retry-after`");
    // The duration is the fault under test.
    sleep(Duration::from_secs(5).saturating_sub(gone.elapsed()));
    server.start_again();
    load.wait_for_created(1000);

    let (promised, ended) = stop_under_load(program, load);
    assert_eq!(missing(&promised, &place), 0, "{ended}");
    assert_clean(&ended);
}

#[test]
fn a_database_that_comes_back_during_the_stop_loses_nothing() {
    let Some(server) = Server::start() else { return };
    let place = server.place();
    let (mut program, load) = whose_database_is_gone(&server, &place);
    program.signal(Signal::Terminate);
    let promised = load.end();
    program.wait_for("stopping (SIGTERM)");
    server.start_again();

    let ended = program.wait();
    assert_eq!(missing(&promised, &place), 0, "{ended}");
    assert_clean(&ended);
}

#[test]
fn a_database_down_during_the_stop_loses_only_reported_events() {
    let Some(server) = Server::start() else { return };
    let place = server.place();
    let (program, load) = whose_database_is_gone(&server, &place);
    let asked = Stopwatch::start();
    let (promised, ended) = stop_under_load(program, load);
    assert_by_the_deadline(asked, &ended);

    server.start_again();
    let stored = place.events_after(0).ids;
    let lost: HashSet<_> = promised.difference(&stored).copied().collect();
    assert!(!lost.is_empty(), "the stop met no load, so this test shows nothing: {ended}");
    assert_names_the_doubt(&ended, &lost);
}

#[test]
fn a_stalled_writer_loses_only_reported_events() {
    let place = TestDatabase::sqlite();
    let mut program = tracker(&place).start();
    let mut client = Client::connect(&program.address()).expect("the tracker listens");
    let lock = LockedDatabase::lock(&place);
    let promised: HashSet<_> = (0..100).map(|_| post(&mut client)).collect();
    program.wait_for("cannot write");

    let asked = Stopwatch::start();
    program.signal(Signal::Terminate);
    let ended = program.wait();
    assert_by_the_deadline(asked, &ended);
    lock.release();
    assert_eq!(missing(&promised, &place), 100, "{ended}");
    assert!(ended.has_written("100 events in doubt"), "{ended}");
    assert_names_the_doubt(&ended, &promised);
}

#[test]
fn a_full_disk_makes_the_tracker_refuse_events() {
    let Some(disk) = SmallDisk::mount(1) else { return };
    let place = TestDatabase::sqlite_in(disk.folder());
    let mut program = tracker(&place).env("QUEUE", SMALL_QUEUE).start();
    let load = Load::begin(&program.address(), "/events");
    let line = program.wait_for("cannot write");
    assert!(line.contains("database or disk is full"), "{line}");
    load.wait_for_refusal();
    disk.grow(64);
    load.wait_for_created(1000);

    let (promised, ended) = stop_under_load(program, load);
    assert_eq!(missing(&promised, &place), 0, "{ended}");
    assert_clean(&ended);
}

#[test]
fn half_a_request_gets_no_201_and_delays_no_stop() {
    let place = TestDatabase::sqlite();
    let mut program = tracker(&place).start();
    let address = program.address();
    let half = |request: &str| {
        let mut client = Client::connect(&address).expect("the tracker listens");
        client.send(request.as_bytes()).expect("the tracker reads");
        client
    };
    let mut in_its_body =
        half("POST /events HTTP/1.1\r\nhost: tracker\r\ncontent-length: 100\r\n\r\n{\"kind\":\"never\"");
    let mut in_its_head = half("POST /events HTTP/1.1\r\nhost: trac");
    // Both connected before this one, so they were accepted before it.
    let promised = HashSet::from([post(&mut Client::connect(&address).expect("the tracker listens"))]);

    let asked = Stopwatch::start();
    program.signal(Signal::Terminate);
    in_its_head.closed().expect("no answer to half a head");
    let answer = in_its_body.answer().expect("half a body has a whole answer");
    assert_eq!(answer.status, 408, "{}", answer.body);
    let ended = program.wait();
    assert_by_the_deadline(asked, &ended);
    assert_eq!(place.events_after(0).ids, promised);
    assert_clean(&ended);
}

#[test]
fn a_request_that_takes_most_of_the_grace_is_answered() {
    let place = TestDatabase::sqlite();
    let mut program = tracker(&place).start();
    let mut client = Client::connect(&program.address()).expect("the tracker listens");
    let lock = LockedDatabase::lock(&place);
    let event = r#"{"kind":"test"}"#;
    let request = format!(
        "POST /events?durable=true HTTP/1.1\r\nhost: tracker\r\ncontent-length: {}\r\n\r\n{event}",
        event.len()
    );
    client.send(request.as_bytes()).expect("the tracker reads");
    program.wait_for("cannot write");

    program.signal(Signal::Terminate);
    program.wait_for("stopping (SIGTERM)");
    // The duration is the fault under test. The writer reserves a second of the grace.
    sleep(Duration::from_millis(3100));
    lock.release();
    let answer = client.answer().expect("the request is answered");
    assert_eq!(answer.status, 201, "{}", answer.body);
    let ended = program.wait();
    assert!(place.events_after(0).ids.contains(&answer.id()), "{ended}");
    assert_clean(&ended);
}

#[test]
fn ten_thousand_idle_connections_end_with_the_stop() {
    const CONNECTIONS: usize = 10_000;
    let place = TestDatabase::sqlite();
    let mut program = tracker(&place).start();
    let files = allow_open_files(program.id()).min(allow_open_files(std::process::id()));
    let connections = CONNECTIONS.min(files.saturating_sub(200));
    if connections < CONNECTIONS {
        println!("{connections} connections, not {CONNECTIONS}: a process may open {files} files here");
    }
    let address = program.address();
    let mut idle = Vec::with_capacity(connections);
    let mut promised = HashSet::new();
    for _ in 0..connections {
        let mut client = Client::connect(&address).expect("the tracker listens");
        promised.insert(post(&mut client));
        idle.push(client);
    }

    let asked = Stopwatch::start();
    program.signal(Signal::Terminate);
    let ended = program.wait();
    assert_by_the_deadline(asked, &ended);
    for mut client in idle {
        client.closed().expect("an idle connection ends well");
    }
    assert_eq!(missing(&promised, &place), 0, "{ended}");
    assert_clean(&ended);
}

fn tracker(place: &TestDatabase) -> Program {
    Program::new("tracker").env("LISTEN", "127.0.0.1:0").env("DATABASE_URL", &place.url)
}

/// A tracker under load that has just noticed that its database is down.
fn whose_database_is_gone(server: &Server, place: &TestDatabase) -> (Running, Load) {
    let mut program = tracker(place).start();
    let load = Load::begin(&program.address(), "/events");
    load.wait_for_created(500);
    server.stop(Shutdown::Fast);
    program.wait_for("cannot write");
    (program, load)
}

/// Posts one event, which is accepted.
#[track_caller]
fn post(client: &mut Client) -> Uuid {
    let answer = client.post("/events", &format!(r#"{{"kind":"test","data":"{}"}}"#, Uuid::now_v7()));
    answer.expect("the tracker answers").id()
}

/// Stops the tracker under load, and returns the ids it has answered with 201.
fn stop_under_load(program: Running, load: Load) -> (HashSet<Uuid>, Ended) {
    program.signal(Signal::Terminate);
    (load.end(), program.wait())
}

fn missing(promised: &HashSet<Uuid>, place: &TestDatabase) -> usize {
    promised.difference(&place.events_after(0).ids).count()
}

#[track_caller]
fn assert_by_the_deadline(asked: Stopwatch, ended: &Ended) {
    let took = asked.took();
    assert!(took.at_most(DEADLINE), "{took:?}: {ended}");
}

#[track_caller]
fn assert_clean(ended: &Ended) {
    assert!(ended.has_written("0 abandoned, exit code 0"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

/// The report names the waiting sessions and the ids in doubt, every lost event is among them, and the exit
/// code is 124.
#[track_caller]
fn assert_names_the_doubt(ended: &Ended, lost: &HashSet<Uuid>) {
    let count = lost.len();
    assert!(ended.has_written("x session at examples/examples/tracker/http.rs"), "{ended}");
    assert!(ended.has_written("abandoned: service `writer`"), "{ended}");
    let doubt = ended.stdout.lines().find(|line| line.contains("events in doubt")).expect("a line names the doubt");
    let ids: Vec<Uuid> = doubt.split([' ', ':']).filter_map(|word| word.parse().ok()).collect();
    let [first, last] = ids[..] else { panic!("it names the first and the last: {doubt}") };
    assert!(lost.iter().all(|id| (first..=last).contains(id)), "{count} are lost, and not all named: {doubt}");
    assert_eq!(ended.code, Some(124), "{ended}");
}

/// Raises a process's limit of open files to the hard limit, and returns it.
fn allow_open_files(process: u32) -> usize {
    let prlimit = |arguments: &[&str]| {
        let output = Command::new("prlimit").args(["--pid", &process.to_string()]).args(arguments).output();
        let output = output.expect("there is a `prlimit`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it writes text").trim().to_owned()
    };
    let hard = prlimit(&["--nofile", "--output", "HARD", "--noheadings"]);
    prlimit(&[&format!("--nofile={hard}:{hard}")]);
    hard.parse().expect("it is a number")
}

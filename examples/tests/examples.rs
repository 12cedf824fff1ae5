//! Starts every example, stops it with a signal, and checks what its first paragraph says.
//!
//! The exception is `testing`, which cargo builds with its own tests and not as a program.
//!
//! The examples listen on ports that the system chooses, so these tests can run in parallel.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use canstop_examples::program::{self, Program, Signal};

#[test]
fn goodbye_prints_both_lines() {
    let ended = Program::new("goodbye").start().wait();
    assert!(ended.stdout.starts_with("Hello\nGoodbye\n"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn workers_lose_no_number() {
    let mut program = Program::new("workers").start();
    program.wait_for("producer: sending");
    program.signal(Signal::Interrupt);
    let ended = program.wait();

    let sent: u64 = ended.number_after("producer: sent ");
    let received: u64 = ended.number_after("worker: received ");
    assert_eq!(received, sent, "{ended}");
    assert!(ended.has_written(&format!("{} of them multiples of 4", sent / 4)), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn one_service_recovers_and_the_other_ends_the_program() {
    let ended = Program::new("restart").start().wait();
    ended.has_in_order(&[
        "sensor: measuring since attempt 4",
        "service `printer` failed: out of paper",
        "sensor: stopping",
    ]);
    let restarts = |service: &str| ended.stdout.matches(&format!("service `{service}` failed: ")).count();
    assert_eq!((restarts("sensor"), restarts("printer")), (3, 3), "{ended}");
    assert_eq!(ended.code, Some(1), "{ended}");
}

#[test]
fn dependencies_start_bottom_up_and_stop_top_down() {
    let mut program = Program::new("dependencies").start();
    program.wait_for("http: open");
    program.signal(Signal::Interrupt);
    let ended = program.wait();
    ended.has_in_order(&[
        "writer: opening",
        "cache: warming up",
        "http: open",
        "http: closed",
        "cache: sending",
        "book",
    ]);
    let visitors: u64 = ended.number_after("http: closed after ");
    assert_eq!(ended.number_after::<u64>("cache: sending "), visitors, "{ended}");
    assert!(ended.has_written(&format!("writer: {visitors} lines")), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn children_restart_with_their_parent_and_stop_first() {
    let mut program = Program::new("children").start();
    program.wait_for("market: the sun is out");
    program.signal(Signal::Interrupt);
    let ended = program.wait();
    ended.has_in_order(&[
        "market: open",
        "failed: it rains",
        "packed up",
        "market: open",
        "packed up",
        "market: closed",
    ]);
    assert_eq!(ended.stdout.matches(": packed up").count(), 6, "{ended}");
    assert!(ended.has_written("\n  market/cheese: ready for "), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn bound_services_restart_together() {
    let ended = Program::new("bound").start().wait();
    ended.has_in_order(&["primary: starts, and", "replica: ends", "primary: starts", "operator: restarting"]);
    ended.has_in_order(&["operator: restarting", "session_cache: ends", "users: ends", "users: starts"]);
    ended.has_in_order(&["users: ends", "session_cache: starts", "operator: done"]);
    let runs = |service: &str| ended.stdout.matches(&format!("{service}: starts")).count();
    assert_eq!((runs("replica"), runs("metrics")), (2, 1), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn timeline_draws_each_step_in_its_order() {
    let file = std::env::temp_dir().join(format!("canstop-timeline-{}.svg", std::process::id()));
    let mut program = Program::new("timeline").arg("--stuck").arg(&file).start();
    program.wait_for("serving");
    program.signal(Signal::Interrupt);
    let ended = program.wait();
    assert_eq!(ended.code, Some(124), "{ended}");
    assert!(ended.has_written(&format!("drew {}", file.display())), "{ended}");
    let picture = std::fs::read_to_string(&file).expect("it was drawn");
    std::fs::remove_file(&file).expect("it is there");
    let steps: Vec<_> = picture.split("<rect class=\"step\"").skip(1).map(place_and_name).collect();
    let names: Vec<_> = steps.iter().map(|(_, name)| name.as_str()).collect();
    assert!(matches!(names[..], ["drain delay", "http, metrics" | "metrics, http", "writer", "database"]), "{names:?}");
    assert!(steps.is_sorted_by(|(before, _), (after, _)| before < after), "{steps:?}");
    for part in ["prefers-color-scheme:dark", "abandoned: 1 x export", "1 abandoned, exit code 124", ">sessions<"] {
        assert!(picture.contains(part), "{part}: {picture}");
    }
    // Every element is closed, as XML asks.
    let opened = picture.matches('<').count() - picture.matches("</").count() - picture.matches("/>").count();
    assert_eq!(opened, picture.matches("</").count(), "{picture}");
}

/// Where a step begins in the picture, and its name.
fn place_and_name(step: &str) -> (f64, String) {
    let after = |start: &str| step.split_once(start).expect("each step has one").1;
    let place = after("x=\"").split('"').next().and_then(|place| place.parse().ok()).expect("a number");
    (place, after("<title>").split('<').next().expect("there is a first part").to_owned())
}

#[test]
fn echo_finishes_a_line_that_began_before_the_stop() {
    finishes_a_line_that_began_before_the_stop("echo");
}

#[test]
fn without_macros_does_what_echo_does() {
    finishes_a_line_that_began_before_the_stop("without_macros");
}

fn finishes_a_line_that_began_before_the_stop(name: &str) {
    let mut program = Program::new(name).env("LISTEN", "127.0.0.1:0").start();
    let address = program.address();
    let mut idle = program::connect(&address);
    let mut connection = BufReader::new(program::connect(&address));

    // A whole line first: its echo shows that the program has accepted both connections.
    connection.get_mut().write_all(b"one\ntw").expect("the program reads");
    let mut line = String::new();
    connection.read_line(&mut line).expect("the first line comes back");
    assert_eq!(line, "one\n");

    program.signal(Signal::Terminate);
    program.wait_for("stopping (SIGTERM)");
    // The end of the idle connection shows that the stop has reached the sessions.
    assert_eq!(idle.read(&mut [0]).expect("the idle connection ends well"), 0);

    connection.get_mut().write_all(b"o\n").expect("the program still reads");
    line.clear();
    connection.read_line(&mut line).expect("the second line comes back");
    assert_eq!(line, "two\n");
    assert_eq!(connection.read(&mut [0]).expect("then the connection ends well"), 0);

    let ended = program.wait();
    assert!(ended.has_written("0 abandoned, exit code 0"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn handover_is_replaced_while_it_answers() {
    let mut program = Program::new("handover").env("LISTEN", "127.0.0.1:0").start();
    let address = program.address();
    let old = program.id().to_string();
    let ask = || {
        let mut connection = program::connect(&address);
        connection.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").expect("the program reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the program answers");
        answer.rsplit_once("process ").expect("it answers with its number").1.trim().to_owned()
    };
    let signal = |option: &str, process: &str| {
        let sent = std::process::Command::new("kill").args([option, process]).status();
        assert!(sent.expect("there is a `kill`").success(), "{process} has already ended");
    };
    assert_eq!(ask(), old);
    signal("-USR2", &old);
    program.wait_for("which takes over once it is ready");
    // The new process warms up.
    assert_eq!(ask(), old);
    program.wait_for(&format!("process {old}, which served before, has ended"));
    let new = ask();
    assert_ne!(new, old);
    signal("-TERM", &new);
    let ended = program.wait();
    // Two processes write to one output, so their lines may come in either order.
    ended.has_in_order(&["stopping (handed over to process", "stopping (SIGTERM)"]);
    ended.has_in_order(&["took over from process", "stopping (SIGTERM)"]);
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn a_port_in_use_is_reported() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("the system has a port");
    let address = taken.local_addr().expect("it has an address").to_string();
    for name in ["echo", "without_macros"] {
        let mut program = Program::new(name).env("LISTEN", &address).start();
        let line = program.wait_for(&format!("cannot listen on {address}"));
        assert!(line.contains("Address already in use"), "{line}");
        program.signal(Signal::Terminate);
        program.wait();
    }
}

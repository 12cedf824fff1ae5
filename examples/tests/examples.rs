//! Every example is started, stopped by a signal, and held to what its first paragraph says.
//!
//! But for `testing`: cargo builds it with its own tests, which check it, and not as a program.
//!
//! They listen on ports that the system chooses, so that these tests can run at once.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use canstop_examples::program::{self, Program, Signal};

#[test]
fn goodbye_says_its_second_word_too() {
    let ended = Program::new("goodbye").start().wait();
    assert!(ended.stdout.starts_with("Hello\nGoodbye\n"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn workers_lose_no_number_on_the_way() {
    let mut program = Program::new("workers").start();
    program.wait_for("producer: sending");
    program.signal(Signal::Interrupt);
    let ended = program.wait();

    let sent: u64 = ended.number_after("producer: sent ");
    let received: u64 = ended.number_after("worker: received ");
    assert_eq!(received, sent, "{ended}");
    assert!(ended.stdout.contains(&format!("{} of them multiples of 4", sent / 4)), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn restart_heals_the_one_and_ends_with_the_other() {
    let ended = Program::new("restart").start().wait();
    ended.has_in_order(&[
        "sensor: measuring since attempt 4",
        "service `printer` failed: out of paper",
        "sensor: told",
    ]);
    let restarts = |service: &str| ended.stdout.matches(&format!("service `{service}` failed: ")).count();
    assert_eq!((restarts("sensor"), restarts("printer")), (3, 3), "{ended}");
    assert_eq!(ended.code, Some(1), "{ended}");
}

#[test]
fn dependencies_start_from_the_bottom_up_and_stop_from_the_top_down() {
    let mut program = Program::new("dependencies").start();
    program.wait_for("http: open");
    program.signal(Signal::Interrupt);
    let ended = program.wait();
    ended.has_in_order(&[
        "writer: opening",
        "cache: warming up",
        "http: open",
        "http: closed",
        "cache: handing",
        "book",
    ]);
    let visitors: u64 = ended.number_after("http: closed after ");
    assert_eq!(ended.number_after::<u64>("cache: handing on "), visitors, "{ended}");
    assert!(ended.stdout.contains(&format!("writer: {visitors} lines")), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn children_open_anew_with_their_market_and_close_before_it() {
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
        "the last to go",
    ]);
    assert_eq!(ended.stdout.matches(": packed up").count(), 6, "{ended}");
    assert!(ended.stdout.contains("\n  market/cheese: ready for "), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn bound_services_begin_their_new_lives_together() {
    let ended = Program::new("bound").start().wait();
    ended.has_in_order(&["primary: begins, and", "replica: ends", "primary: begins", "operator: restarting"]);
    ended.has_in_order(&["operator: restarting", "session_cache: ends", "users: ends", "users: begins"]);
    ended.has_in_order(&["users: ends", "session_cache: begins", "operator: that was all"]);
    let lives = |service: &str| ended.stdout.matches(&format!("{service}: begins")).count();
    assert_eq!((lives("replica"), lives("metrics")), (2, 1), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn echo_gives_back_the_line_that_was_begun_before_the_stop() {
    gives_back_the_line_that_was_begun_before_the_stop("echo");
}

#[test]
fn without_macros_does_what_echo_does() {
    gives_back_the_line_that_was_begun_before_the_stop("without_macros");
}

fn gives_back_the_line_that_was_begun_before_the_stop(name: &str) {
    let mut program = Program::new(name).env("LISTEN", "127.0.0.1:0").start();
    let address = program.address();
    let mut idle = program::connect(&address);
    let mut connection = BufReader::new(program::connect(&address));

    // A whole line first: when it comes back, the program has accepted both connections.
    connection.get_mut().write_all(b"one\ntw").expect("the program reads");
    let mut line = String::new();
    connection.read_line(&mut line).expect("the first line comes back");
    assert_eq!(line, "one\n");

    program.signal(Signal::Terminate);
    program.wait_for("stopping (SIGTERM)");
    // The end of the idle connection shows that the sessions have heard of it.
    assert_eq!(idle.read(&mut [0]).expect("the idle connection ends well"), 0);

    connection.get_mut().write_all(b"o\n").expect("the program still reads");
    line.clear();
    connection.read_line(&mut line).expect("the second line comes back");
    assert_eq!(line, "two\n");
    assert_eq!(connection.read(&mut [0]).expect("then the connection ends well"), 0);

    let ended = program.wait();
    assert!(ended.stdout.contains("0 abandoned, exit code 0"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn a_port_in_use_is_named() {
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

//! A stop of an actix-web server.
#![cfg(unix)]

use std::net::SocketAddr;
use std::thread;

use canstop_tests::{Probe, READY, Signal, http};

/// Starts the server, and returns its address.
fn start() -> (Probe, SocketAddr) {
    let mut probe = Probe::start(env!("CARGO_BIN_EXE_canstop-tests-actix"), &[]);
    let address = probe.wait_for_start("listening on ").parse().expect("an address");
    probe.wait_for_line(READY);
    (probe, address)
}

fn request(address: SocketAddr, head: &str) -> std::io::Result<http::Answer> {
    http::send(address, format!("{head} HTTP/1.1\r\nhost: probe\r\nconnection: close\r\n\r\n").as_bytes())
}

fn post_event(address: SocketAddr, id: u32) -> bool {
    request(address, &format!("POST /events/{id}")).is_ok_and(|answer| answer.code == 202)
}

#[test]
fn a_stop_keeps_every_event_that_was_accepted() {
    const BEFORE: u32 = 40;
    let (mut probe, address) = start();
    for id in 0..BEFORE {
        assert!(post_event(address, id), "event {id}");
    }
    // Clients go on posting until the listener is closed.
    let clients: Vec<_> = (1..=4)
        .map(|client| {
            thread::spawn(move || (client * 1_000..).take_while(|&id| post_event(address, id)).collect::<Vec<_>>())
        })
        .collect();
    probe.signal(Signal::Terminate);
    let during = clients.into_iter().flat_map(|client| client.join().expect("a client does not panic"));
    let accepted: Vec<u32> = (0..BEFORE).chain(during).collect();
    let finished = probe.finish();
    finished.exited(0).ended_with(&["0 abandoned"]);
    for id in &accepted {
        assert_eq!(finished.times_printed(&format!("kept {id}")), 1, "event {id}\n{finished}");
    }
    assert!(accepted.len() >= BEFORE as usize);
}

#[test]
fn a_stop_answers_the_request_that_runs() {
    let (mut probe, address) = start();
    let client = thread::spawn(move || request(address, "GET /slow"));
    probe.wait_for_line("slow");
    probe.signal(Signal::Terminate);
    let answer = client.join().expect("the client does not panic").expect("an answer");
    assert_eq!((answer.code, answer.body.as_str()), (200, "slow"));
    probe.finish().exited(0);
}

#[test]
fn a_thread_of_actix_is_outside_the_supervisor_by_itself() {
    let (mut probe, address) = start();
    let home = request(address, "GET /home").expect("an answer").body;
    assert!(home.starts_with("no supervisor here"), "{home}");
    probe.signal(Signal::Terminate);
    probe.finish().exited(0);
}

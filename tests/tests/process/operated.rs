//! A program that serves a router while its runtime is blocked, and while it drains.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use canstop_tests::http::{free_address, get, send, wait_for_code};
use canstop_tests::{Audience, Probe, READY, Signal, Stopwatch};

/// Starts the application, and returns the addresses of its health endpoint and of its listener.
pub(super) fn start(scenario: &str, variables: &[(&str, &str)]) -> (Probe, SocketAddr, SocketAddr) {
    let health = free_address();
    let address = health.to_string();
    let mut all = vec![("CANSTOP_HEALTH", address.as_str())];
    all.extend(variables);
    let mut probe = Probe::start_in(Audience::Listens, env!("CARGO_BIN_EXE_operated"), &[scenario], &all);
    probe.wait_for_line(READY);
    let public = probe.wait_for_start("listening on ").parse().expect("an address");
    wait_for_code(health, "/readyz", 200);
    (probe, health, public)
}

/// How long the health endpoint takes to answer with one of two codes, and with which. Of three requests the fastest
/// counts: a busy machine may delay one.
fn fastest(health: SocketAddr, path: &str) -> (Duration, u16) {
    let ask = || {
        let asked = Instant::now();
        let code = get(health, path).expect("it is answered").code;
        (asked.elapsed(), code)
    };
    [ask(), ask(), ask()].into_iter().min().expect("there are three")
}

#[test]
fn probes_are_answered_where_a_route_of_the_runtime_is_not() {
    let (mut probe, health, public) = start("routes", &[("CANSTOP_STALL", "1500ms")]);
    let route = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(send(public, route).expect("the runtime is free").body, "alive");
    probe.say("block");
    for _ in 0..2 {
        probe.wait_for_line("blocked");
    }
    let blocked = Instant::now();
    // The control: a liveness route on the runtime that it is about.
    let mut control = TcpStream::connect(public).expect("the kernel completes it");
    control.set_read_timeout(Some(Duration::from_secs(1))).expect("a time that is not zero");
    let asked_the_route = thread::spawn(move || {
        std::io::Write::write_all(&mut control, route).expect("the kernel takes it");
        control.read(&mut [0; 1])
    });
    while blocked.elapsed() < Duration::from_secs(1) {
        let (took, code) = fastest(health, "/livez");
        assert!(took < Duration::from_millis(100), "{took:?}");
        assert_eq!(code, 200, "after {:?}", blocked.elapsed());
    }
    let answer = asked_the_route.join().expect("it does not panic");
    assert!(answer.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "the route was answered");
    wait_for_code(health, "/livez", 503);
    assert!(blocked.elapsed() >= Duration::from_millis(1_400), "{:?}", blocked.elapsed());
    let (took, code) = fastest(health, "/livez");
    assert!(took < Duration::from_millis(100), "{took:?}");
    assert_eq!(code, 503);
    probe.signal(Signal::Terminate);
    let finished = probe.finish();
    finished.exited(124).logged(&["session `stuck` at", "of service `blocks`", "blocking a thread"]);
}

#[test]
fn requests_are_served_for_the_whole_drain_delay() {
    let (mut probe, health, public) = start("drains", &[]);
    let signalled = Stopwatch::start();
    probe.signal(Signal::Terminate);
    while get(health, "/readyz").expect("it is answered").code == 200 {}
    let took = signalled.took();
    assert!(took.at_most(Duration::from_millis(50)), "{took:?}");
    let mut served = 0;
    while signalled.took().whole < Duration::from_millis(1_400) {
        let answer = send(public, b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n").expect("it still serves");
        assert_eq!((answer.code, answer.body.as_str()), (200, "quick"));
        assert!(answer.head.contains("connection: close"), "clients leave by themselves: {}", answer.head);
        assert_eq!(get(health, "/readyz").expect("it is answered").code, 503);
        served += 1;
    }
    assert!(served > 10, "{served}");
    let finished = probe.finish();
    finished.exited(0);
    assert!(finished.after_signal() >= Duration::from_millis(1_500), "{finished}");
}

//! One server behind HAProxy, replaced by a new process on the same port.

use std::net::SocketAddr;

use canstop_managers::{Daemon, Service, is_installed};
use canstop_tests::Signal;
use canstop_tests::load::{Connections, Load};

use crate::haproxy::{Haproxy, PACKAGE, PROGRAMS};
use crate::{Balancer as _, CLIENTS, CONTROL_ROUNDS};

const HANDOVER: &str = env!("CARGO_BIN_EXE_managed_handover");
const REUSEPORT: &str = env!("CARGO_BIN_EXE_reuseport");
/// Each request gets a connection to the server.
const NO_REUSE: &str = "option http-server-close";

fn load_before(address: SocketAddr) -> (Haproxy, Load) {
    let haproxy = Haproxy::start(NO_REUSE, std::iter::once(address.to_string()));
    let load = Load::start(haproxy.address(), "/", CLIENTS, Connections::KeepAlive);
    load.wait_for(100);
    (haproxy, load)
}

#[test]
fn a_hand_over_behind_haproxy_fails_no_request() {
    if is_installed(PACKAGE, PROGRAMS) {
        hand_overs_fail_no_request();
        so_reuseport_fails_requests();
    }
}

fn hand_overs_fail_no_request() {
    let address = canstop_managers::free_port();
    let service = Service::new(HANDOVER, &[&address.to_string()], &[]);
    // The first process: the later ones are its descendants.
    let mut first = service.start();
    service.wait_for("listening on", 1);
    let (_haproxy, load) = load_before(address);
    let mut pid = first.id();
    for round in 1..=5 {
        Signal::HandOver.send_to(pid);
        service.wait_for("predecessor_ended", round);
        pid = newest(&service.log());
        load.wait_for(100);
    }
    let tally = load.finish();
    println!("hand-over: {tally}");
    Signal::Terminate.send_to(pid);
    first.reap();
    assert_eq!(tally.failed(), 0, "{tally}");
}

/// The process that has started last.
fn newest(log: &str) -> u32 {
    let started = log.lines().filter_map(|line| line.strip_prefix("started "));
    started.last().expect("one has started").parse().expect("a pid")
}

fn so_reuseport_fails_requests() {
    let service = Service::new(REUSEPORT, &[], &[]);
    let mut serving = service.start();
    service.wait_for("listening on", 1);
    let (_haproxy, load) = load_before(service.address);
    for round in 1..=CONTROL_ROUNDS {
        let next: Daemon = service.start();
        service.wait_for("listening on", round + 1);
        serving.signal(Signal::Terminate);
        assert!(serving.wait().success(), "{}", service.log());
        serving = next;
        if load.has_failures() {
            break;
        }
    }
    let tally = load.finish();
    println!("control: {tally}");
    assert!(tally.failed() > 0, "the control must fail: {tally}");
}

//! One server behind HAProxy, replaced by a new process on the same port.

use std::net::SocketAddr;
use std::process::Command;

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
    let first = service.start();
    let processes = Processes(&service);
    service.wait_for("listening on", 1);
    let (_haproxy, load) = load_before(address);
    assert_eq!(processes.newest(), first.id());
    for round in 1..=5 {
        Signal::HandOver.send_to(processes.newest());
        service.wait_for("predecessor_ended", round);
        load.wait_for(100);
    }
    let tally = load.finish();
    println!("hand-over: {tally}");
    drop(processes);
    service.wait_for("stopped (SIGTERM)", 1);
    assert_eq!(tally.failed(), 0, "{tally}");
}

/// The processes of a program that hands over. Dropped, the newest gets SIGTERM.
struct Processes<'a>(&'a Service);

impl Processes<'_> {
    fn newest(&self) -> u32 {
        let log = self.0.log();
        let mut started = log.lines().filter_map(|line| line.strip_prefix("started "));
        started.next_back().expect("one has started").parse().expect("a pid")
    }
}

impl Drop for Processes<'_> {
    fn drop(&mut self) {
        // It may have ended, if the test fails.
        let _ = Command::new("kill").arg(self.newest().to_string()).status();
    }
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

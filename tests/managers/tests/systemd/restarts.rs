//! Restarts under a load that never retries.

use canstop_managers::{Service, Systemd, eventually};
use canstop_tests::load::{Connections, Load, Tally};

use crate::CONTROL_ROUNDS;

const HANDOVER: &str = env!("CARGO_BIN_EXE_managed_handover");
const RESTARTS: usize = 5;
/// The clients that keep their connections, and as many that do not.
const CLIENTS: usize = 3;

/// A web server with a name, whose file `plan` says what its next process does.
fn web() -> Service {
    let mut service = Service::new(HANDOVER, &[], &[]);
    let plan = service.folder().join("plan");
    std::fs::write(&plan, "").expect("a file");
    service.arguments = vec![service.address.to_string(), plan.display().to_string()];
    service
}

/// Clients of both kinds.
struct Clients([Load; 2]);

impl Clients {
    fn start(service: &Service) -> Self {
        let connections = [Connections::OneEach, Connections::KeepAlive];
        let clients = Self(connections.map(|connections| Load::start(service.address, "/", CLIENTS, connections)));
        clients.wait_for(100);
        clients
    }

    fn wait_for(&self, more: u64) {
        self.0.iter().for_each(|load| load.wait_for(more));
    }

    fn have_failures(&self) -> bool {
        self.0.iter().any(Load::has_failures)
    }

    fn finish(self) -> [Tally; 2] {
        self.0.map(Load::finish)
    }

    #[track_caller]
    fn lost_nothing(self, how: &str) {
        self.wait_for(100);
        for tally in self.finish() {
            println!("{how}: {tally}");
            assert_eq!(tally.failed(), 0, "{how}: {tally}");
        }
    }
}

/// The unit of a socket at a service's address, which the program calls `web`.
fn write_socket(systemd: &Systemd, name: &str, service: &Service) {
    let address = service.address;
    systemd
        .write_unit(&format!("{name}.socket"), &format!("[Socket]\nListenStream={address}\nFileDescriptorName=web\n"));
}

#[test]
fn a_restart_with_a_socket_unit_fails_no_request() {
    let Some(systemd) = Systemd::start() else { return };
    let service = web();
    write_socket(&systemd, "web", &service);
    systemd.write_service("web", &service, &["Type=notify"]);
    systemd.systemctl(&["start", "web.socket", "web.service"]);
    restarts_fail_no_request(&systemd, &service);
    plain_restarts_fail_requests(&systemd);
}

#[test]
fn a_restart_with_the_fd_store_fails_no_request() {
    let Some(systemd) = Systemd::start() else { return };
    let service = web();
    systemd.write_service("web", &service, &["Type=notify", "FileDescriptorStoreMax=8"]);
    systemd.systemctl(&["start", "web.service"]);
    restarts_fail_no_request(&systemd, &service);
    plain_restarts_fail_requests(&systemd);
}

#[track_caller]
fn restarts_fail_no_request(systemd: &Systemd, service: &Service) {
    let clients = Clients::start(service);
    for _ in 0..RESTARTS {
        systemd.systemctl(&["restart", "web.service"]);
        clients.wait_for(20);
    }
    clients.lost_nothing("restarts");
    assert_eq!(systemd.show("web.service", "Result"), "success", "{}", service.log());
}

/// The control: nothing keeps the socket open.
fn plain_restarts_fail_requests(systemd: &Systemd) {
    let service = web();
    systemd.write_service("plain", &service, &["Type=notify"]);
    systemd.systemctl(&["start", "plain.service"]);
    let clients = Clients::start(&service);
    for _ in 0..CONTROL_ROUNDS {
        systemd.systemctl(&["stop", "plain.service"]);
        systemd.systemctl(&["start", "plain.service"]);
        if clients.have_failures() {
            break;
        }
    }
    let tallies = clients.finish();
    tallies.iter().for_each(|tally| println!("control: {tally}"));
    assert!(tallies.iter().any(|tally| tally.failed() > 0), "the control must fail");
}

#[test]
fn a_stored_socket_that_the_next_version_does_not_want_is_removed() {
    let Some(systemd) = Systemd::start() else { return };
    let (service, mut moved) = (web(), web());
    moved.arguments[0] = moved.address.to_string();
    systemd.write_service("web", &service, &["Type=notify", "FileDescriptorStoreMax=8"]);
    systemd.systemctl(&["start", "web.service"]);
    assert_eq!(systemd.show("web.service", "NFileDescriptorStore"), "1");
    // The next version listens elsewhere under the same name.
    systemd.write_service("web", &moved, &["Type=notify", "FileDescriptorStoreMax=8"]);
    systemd.systemctl(&["restart", "web.service"]);
    Clients::start(&moved).lost_nothing("another address");
    assert_eq!(systemd.show("web.service", "NFileDescriptorStore"), "1");
    assert!(std::net::TcpStream::connect(service.address).is_err(), "its clients would wait for ever");
}

#[test]
fn a_reload_hands_over_and_systemd_follows() {
    const RELOAD: &str = "ExecReload=/bin/kill -USR2 $MAINPID";
    let Some(systemd) = Systemd::start() else { return };
    let service = web();
    systemd.write_service("web", &service, &["Type=notify", RELOAD, "WatchdogSec=20"]);
    systemd.systemctl(&["start", "web.service"]);
    let property = |property: &str| systemd.show("web.service", property);
    let first = property("MainPID");
    let clients = Clients::start(&service);
    for round in 1..=RESTARTS {
        systemd.systemctl(&["reload", "web.service"]);
        service.wait_for("predecessor_ended", round);
        clients.wait_for(20);
    }
    clients.lost_nothing("hand-overs");
    let newest = property("MainPID");
    assert_ne!(newest, first);
    assert_eq!((&*property("NRestarts"), &*property("StatusText")), ("0", "ready: 1 service"));
    let fed = property("WatchdogTimestampMonotonic");
    assert!(eventually(|| property("WatchdogTimestampMonotonic") != fed), "the new process must feed the watchdog");

    // A version that fails changes nothing.
    std::fs::write(&service.arguments[1], "fail").expect("a file");
    systemd.systemctl(&["reload", "web.service"]);
    service.wait_for("hand-over failed: the new process", 1);
    assert_eq!((&*property("ActiveState"), property("MainPID")), ("active", newest));

    systemd.systemctl(&["stop", "web.service"]);
    assert_eq!(property("Result"), "success");
    let log = service.log();
    let last = log.lines().last().unwrap_or_default();
    assert!(last.contains("stopped (SIGTERM)") && last.contains("exit code 0"), "{log}");
}

/// The control of the test before: without a notification the end of the old process is the end of the unit.
#[test]
fn a_hand_over_that_systemd_does_not_learn_of_ends_the_unit() {
    let Some(systemd) = Systemd::start() else { return };
    let service = web();
    systemd.write_service("deaf", &service, &["Type=simple", "Environment=CANSTOP_NOTIFY=off"]);
    systemd.systemctl(&["start", "deaf.service"]);
    service.wait_for("ready ", 1);
    systemd.systemctl(&["kill", "--signal=USR2", "--kill-who=main", "deaf.service"]);
    let has_ended = eventually(|| systemd.show("deaf.service", "ActiveState") == "inactive");
    assert!(has_ended, "{}", service.log());
}

//! Programs under a systemd of the test's own: readiness, time to stop, the watchdog, and restarts that refuse nothing.
#![cfg(unix)]

mod restarts;

use std::net::TcpStream;

use canstop_managers::{Service, Systemd, eventually};

const TRACKER: &str = env!("CARGO_BIN_EXE_managed_tracker");
const SEEN: &str = env!("CARGO_BIN_EXE_managed_seen");
const FED: &str = env!("CARGO_BIN_EXE_fed");

/// How often a control may succeed by luck.
const CONTROL_ROUNDS: usize = 30;

#[test]
fn start_returns_when_the_program_is_ready() {
    let Some(systemd) = Systemd::start() else { return };
    let service = Service::new(TRACKER, &[], &[]);
    systemd.write_service("ready", &service, &["Type=notify"]);
    systemd.write_service("simple", &service, &["Type=simple"]);
    systemd.write_service("silent", &service, &["Type=notify", "TimeoutStartSec=1", "Environment=CANSTOP_NOTIFY=off"]);
    let listens_after_start = |unit: &str| {
        systemd.systemctl(&["start", unit]);
        let listens = TcpStream::connect(service.address).is_ok();
        let status = systemd.show(unit, "StatusText");
        systemd.systemctl(&["stop", unit]);
        (listens, status)
    };
    for _ in 0..3 {
        assert_eq!(listens_after_start("ready"), (true, "ready: 2 services".to_owned()));
    }
    let refused = (0..CONTROL_ROUNDS).any(|_| !listens_after_start("simple").0);
    assert!(refused, "the control must refuse a connection");
    systemd.systemctl(&["start", "silent"]);
    assert_eq!(systemd.show("silent", "Result"), "timeout", "the control must fail");
}

#[test]
fn a_stop_gets_the_time_that_it_needs() {
    let Some(systemd) = Systemd::start() else { return };
    let program = format!("{SEEN} slow-stop");
    systemd.write_program("extends", &program, &["Type=notify", "TimeoutStopSec=1"]);
    let control = ["Type=simple", "TimeoutStopSec=1", "Environment=CANSTOP_NOTIFY=off"];
    systemd.write_program("killed", &program, &control);
    systemd.systemctl(&["start", "extends", "killed"]);
    assert!(eventually(|| systemd.journal("killed").contains("READY")), "{}", systemd.journal("killed"));
    systemd.systemctl(&["stop", "extends", "killed"]);
    let journal = systemd.journal("extends");
    assert_eq!(systemd.show("extends", "Result"), "success", "{journal}");
    assert!(journal.contains("stopped (SIGTERM) in 2.") && journal.contains("exit code 0"), "{journal}");
    assert_eq!(systemd.show("killed", "Result"), "timeout", "the control must be killed");
}

#[test]
fn the_watchdog_ends_a_program_whose_workers_are_blocked() {
    let Some(systemd) = Systemd::start() else { return };
    let (blocks, serves) = (format!("{SEEN} blocks"), format!("{SEEN} serves"));
    let (notify, watchdog, block) = ("Type=notify", "WatchdogSec=2", "StandardInputText=block");
    systemd.write_program("blocked", &blocks, &[notify, watchdog, block]);
    systemd.write_program("healthy", &serves, &[notify, watchdog]);
    // The controls: one that is healthy and feeds nothing, and two that are blocked.
    systemd.write_program("unfed", &serves, &["Type=simple", watchdog, "Environment=CANSTOP_NOTIFY=off"]);
    systemd.write_program("unwatched", &blocks, &[notify, block]);
    systemd.write_program("fed", FED, &[notify, watchdog]);
    systemd.systemctl(&["start", "healthy", "unfed", "unwatched", "fed", "blocked"]);
    for name in ["unfed", "blocked"] {
        let is_ended = eventually(|| systemd.show(name, "Result") == "watchdog");
        assert!(is_ended, "{name}: {}", systemd.journal(name));
    }
    for name in ["healthy", "unwatched", "fed"] {
        assert_eq!(systemd.show(name, "ActiveState"), "active", "{name}: {}", systemd.journal(name));
    }
    // What blocks is in the journal before systemd ends the program.
    let journal = systemd.journal("blocked");
    let named = journal.find("session `stuck` of service `blocks`").expect(&journal);
    let ended = journal.find("Watchdog timeout").expect(&journal);
    assert!(named < ended, "{journal}");
    assert!(journal.contains("taken up no work") && journal.contains("seen.rs:"), "{journal}");
    // They would not stop by themselves.
    systemd.systemctl(&["kill", "--signal=KILL", "unwatched", "fed"]);
}

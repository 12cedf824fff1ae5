//! s6: `s6-supervise` for one service, and `s6-svc` to command it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use canstop_managers::{Daemon, Service, is_installed, output_of};

use crate::runit::{read_ends, start_supervisor, write_scripts};
use crate::{End, LIMIT, Manager, Signal, TRACKER};

pub(crate) struct S6 {
    supervisor: Daemon,
    folder: PathBuf,
}

/// How long a command waits for what it wants, in milliseconds.
const PATIENCE: &str = "25000";

impl S6 {
    fn svc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("s6-svc");
        command.args(arguments).arg(&self.folder);
        command
    }
}

impl Manager for S6 {
    const PACKAGE: &str = "s6";
    const PROGRAMS: &[&str] = &["s6-supervise", "s6-svc", "s6-svwait"];

    fn start(service: &Service, limit: Duration) -> Self {
        let folder = service.folder().join("s6");
        fs::create_dir(&folder).expect("a folder");
        write_scripts(&folder, service);
        fs::write(folder.join("timeout-kill"), limit.as_millis().to_string()).expect("a file");
        fs::write(folder.join("notification-fd"), "3").expect("a file");
        Self { supervisor: start_supervisor("s6-supervise", &folder), folder }
    }

    fn stop(&self) -> Command {
        self.svc(&["-wD", "-T", PATIENCE, "-d"])
    }

    fn restart(&self) -> Command {
        self.svc(&["-wr", "-T", PATIENCE, "-r"])
    }

    fn signal(&self, signal: Signal) -> Command {
        self.svc(&[match signal {
            Signal::Terminate => "-t",
            Signal::Hangup => "-h",
        }])
    }

    fn ends(&self) -> Vec<End> {
        read_ends(&self.folder)
    }
}

impl Drop for S6 {
    fn drop(&mut self) {
        output_of(&mut self.svc(&["-wD", "-T", PATIENCE, "-xd"]));
        // It ends with its service. Killed earlier, it would leave the service behind.
        self.supervisor.reap();
    }
}

#[test]
fn s6_learns_when_the_program_is_ready() {
    if !is_installed(S6::PACKAGE, S6::PROGRAMS) {
        return;
    }
    let becomes_ready = |variables: &[(&str, &str)], within: &str| {
        let service = Service::new(TRACKER, &[], variables);
        let manager = S6::start(&service, LIMIT);
        service.wait_for("listening on", 1);
        let mut wait = Command::new("s6-svwait");
        wait.args(["-U", "-t", within]).arg(&manager.folder).status().expect("its command").success()
    };
    assert!(becomes_ready(&[("CANSTOP_READY_FD", "3")], PATIENCE));
    assert!(!becomes_ready(&[], "2000"), "the control must not become ready");
}

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
    fn start(service: &Service, limit: Duration) -> Option<Self> {
        if !is_installed("s6", &["s6-supervise", "s6-svc", "s6-svwait"]) {
            return None;
        }
        let folder = service.folder().join("s6");
        fs::create_dir(&folder).expect("a folder");
        write_scripts(&folder, service);
        fs::write(folder.join("timeout-kill"), limit.as_millis().to_string()).expect("a file");
        fs::write(folder.join("notification-fd"), "3").expect("a file");
        Some(Self { supervisor: start_supervisor("s6-supervise", &folder), folder })
    }

    fn stop(&self) -> Command {
        self.svc(&["-wD", "-T", PATIENCE, "-d"])
    }

    fn restart(&self) -> Command {
        self.svc(&["-wr", "-T", PATIENCE, "-r"])
    }

    fn signal(&self, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => "-t",
            Signal::Hangup => "-h",
        };
        output_of(&mut self.svc(&[signal]));
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
    let becomes_ready = |variables: &[(&str, &str)], within: &str| {
        let service = Service::new(TRACKER, &[], variables);
        let manager = S6::start(&service, LIMIT)?;
        service.wait_for("listening on", 1);
        let mut wait = Command::new("s6-svwait");
        Some(wait.args(["-U", "-t", within]).arg(&manager.folder).status().expect("its command").success())
    };
    let Some(is_ready) = becomes_ready(&[("CANSTOP_READY_FD", "3")], PATIENCE) else { return };
    assert!(is_ready);
    assert_eq!(becomes_ready(&[], "2000"), Some(false), "the control must not become ready");
}

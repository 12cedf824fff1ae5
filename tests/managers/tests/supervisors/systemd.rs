//! systemd, with one unit.

use std::fs;
use std::process::Command;
use std::time::Duration;

use canstop_managers::{Service, Systemd};

use crate::{End, Manager, Signal};

pub(crate) struct WithUnit {
    systemd: Systemd,
}

const UNIT: &str = "tracker.service";

impl Manager for WithUnit {
    fn start(service: &Service, limit: Duration) -> Option<Self> {
        let systemd = Systemd::start()?;
        let ends = systemd.path("ends");
        let lines = [
            "Type=simple",
            "Restart=always",
            "RestartSec=0",
            &format!("TimeoutStopSec={}", limit.as_secs()),
            // Its variables are "exited" and a code, or "killed" and a signal's name.
            &format!("ExecStopPost=/bin/sh -c 'echo $EXIT_CODE $EXIT_STATUS >> {}'", ends.display()),
        ];
        systemd.write_service("tracker", service, &lines);
        systemd.systemctl(&["start", UNIT]);
        Some(Self { systemd })
    }

    fn stop(&self) -> Command {
        self.systemd.command(&["stop", UNIT])
    }

    fn restart(&self) -> Command {
        self.systemd.command(&["restart", UNIT])
    }

    fn signal(&self, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => "--signal=TERM",
            Signal::Hangup => "--signal=HUP",
        };
        self.systemd.systemctl(&["kill", signal, UNIT]);
    }

    fn ends(&self) -> Vec<End> {
        let text = fs::read_to_string(self.systemd.path("ends")).unwrap_or_default();
        let end = |line: &str| match line.split_once(' ') {
            Some(("exited", code)) => End::Code(code.parse().expect("a number")),
            Some(("killed", "KILL")) => End::KILLED,
            Some(("killed", "HUP")) => End::HUNG_UP,
            _ => panic!("an unexpected end: {line}"),
        };
        text.lines().map(end).collect()
    }
}

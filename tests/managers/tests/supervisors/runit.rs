//! runit: `runsv` for one service, and `sv` to command it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use canstop_managers::{Daemon, Service, is_installed, output_of};

use crate::{End, Manager, Signal};

pub(crate) struct Runit {
    supervisor: Daemon,
    folder: PathBuf,
    limit: Duration,
}

/// Writes the scripts that runit and s6 have in common.
pub(crate) fn write_scripts(folder: &Path, service: &Service) {
    let finish = format!("#!/bin/sh\necho \"$1 $2\" >> '{}'\n", folder.join("ends").display());
    for (name, text) in [("run", service.script()), ("finish", finish)] {
        let path = folder.join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("an executable");
    }
}

/// Starts a program that supervises a folder.
pub(crate) fn start_supervisor(program: &str, folder: &Path) -> Daemon {
    let log = fs::File::create(folder.join("supervisor.log")).expect("a file");
    Daemon::start(Command::new(program).arg(folder).stdout(Stdio::null()).stderr(log))
}

pub(crate) fn read_ends(folder: &Path) -> Vec<End> {
    End::read(&fs::read_to_string(folder.join("ends")).unwrap_or_default())
}

impl Runit {
    fn sv(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sv");
        command.args(arguments).arg(&self.folder);
        command
    }
}

impl Manager for Runit {
    fn start(service: &Service, limit: Duration) -> Option<Self> {
        if !is_installed("runit", &["runsv", "sv"]) {
            return None;
        }
        let folder = service.folder().join("runit");
        fs::create_dir(&folder).expect("a folder");
        write_scripts(&folder, service);
        Some(Self { supervisor: start_supervisor("runsv", &folder), folder, limit })
    }

    fn stop(&self) -> Command {
        self.sv(&["-w", &self.limit.as_secs().to_string(), "force-stop"])
    }

    fn restart(&self) -> Command {
        self.sv(&["-w", &self.limit.as_secs().to_string(), "force-restart"])
    }

    fn signal(&self, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => "term",
            Signal::Hangup => "hup",
        };
        output_of(&mut self.sv(&[signal]));
    }

    fn ends(&self) -> Vec<End> {
        read_ends(&self.folder)
    }
}

impl Drop for Runit {
    fn drop(&mut self) {
        output_of(&mut self.sv(&["-w", "7", "force-shutdown"]));
        // It ends with its service. Killed earlier, it would leave the service behind.
        self.supervisor.reap();
    }
}

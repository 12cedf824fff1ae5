//! podman, with the program as process 1 of a container.
//!
//! The container's files are those of the machine, read-only below an overlay: no image is needed.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use canstop_managers::{Service, eventually, is_installed, output_of, runs_all};

use crate::{End, Manager, Signal};

const NAME: &str = "service";
/// Without a systemd on the machine, and with files of events in the folder of the test.
const CONF: &str = "[containers]\npids_limit = 0\n[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";

pub(crate) struct Podman {
    folder: PathBuf,
    limit: String,
}

impl Podman {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", self.folder.join("conf"));
        for option in ["root", "runroot", "tmpdir"] {
            command.arg(format!("--{option}")).arg(self.folder.join(option));
        }
        command.args(arguments);
        command
    }
}

impl Podman {
    /// Returns true if the command line of a process has the folder.
    fn is_used(&self) -> bool {
        let folder = self.folder.display().to_string();
        let processes = fs::read_dir("/proc").expect("a folder of processes");
        let lines = processes.flatten().filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(&folder))
    }
}

impl Manager for Podman {
    fn start(service: &Service, limit: Duration) -> Option<Self> {
        if !runs_all() || !is_installed("podman runc", &["podman", "runc"]) {
            return None;
        }
        let folder = service.folder().join("podman");
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("conf"), CONF).expect("a file");
        fs::write(folder.join("run"), service.script()).expect("a file");
        let podman = Self { folder, limit: limit.as_secs().to_string() };
        let path = service.folder().display();
        let mut run = podman.command(&["run", "--detach", "--restart=always", "--network=host", "--log-driver=none"]);
        // The default limits are beyond those that a container on this machine may have.
        run.args(["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", "--name", NAME]);
        run.arg(format!("--volume={path}:{path}")).args(["--rootfs", "/:O", "/bin/sh"]).arg(podman.folder.join("run"));
        let output = run.stdin(Stdio::null()).output().expect("it is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(podman)
    }

    fn stop(&self) -> Command {
        self.command(&["stop", "--time", &self.limit, NAME])
    }

    fn restart(&self) -> Command {
        self.command(&["restart", "--time", &self.limit, NAME])
    }

    fn signal(&self, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => "TERM",
            Signal::Hangup => "HUP",
        };
        output_of(&mut self.command(&["kill", "--signal", signal, NAME]));
    }

    fn ends(&self) -> Vec<End> {
        let format = "{{.ContainerExitCode}}";
        let codes =
            output_of(&mut self.command(&["events", "--stream=false", "--filter=event=died", "--format", format]));
        // A container's end is a code only.
        let end = |code: &str| match code {
            "137" => End::KILLED,
            code => End::Code(code.parse().expect("a number")),
        };
        codes.lines().map(end).collect()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        output_of(&mut self.command(&["rm", "--force", "--time", "7", NAME]));
        // What podman runs after the end of a container uses its storage once more.
        let _ = eventually(|| !self.is_used());
        // The storage stays mounted on itself, so that it could not be removed.
        output_of(Command::new("umount").arg(self.folder.join("root/overlay")));
    }
}

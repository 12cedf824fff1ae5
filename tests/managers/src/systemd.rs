//! A systemd of a test's own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use canstop_examples::ScratchFolder;

use crate::installed::refuse;
use crate::{Daemon, Service, eventually, is_installed, output_of};

/// What `unshare` is to make for a manager whose processes end with it.
pub const NAMESPACES: [&str; 7] =
    ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"];
const BOOT: &str = include_str!("boot.sh");
const JOURNAL: &str = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\n";

/// A systemd user manager with a journal, in namespaces in which it cannot reach the machine's. Its processes end with
/// it. Dropped, it stops its units and ends.
#[derive(Debug)]
pub struct Systemd {
    /// `unshare`, whose child is process 1 in the namespaces.
    namespaces: Daemon,
    folder: ScratchFolder,
}

impl Systemd {
    /// Starts it. Where it cannot run, says why and returns `None`.
    ///
    /// # Panics
    ///
    /// If it is required and cannot run, or if it does not come up.
    #[must_use]
    pub fn start() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let programs = ["/lib/systemd/systemd", "/lib/systemd/systemd-journald", "systemctl", "unshare"];
        let rights = "a systemd of the test's own needs the right to make namespaces and to mount cgroup2";
        if !(is_installed("systemd", &programs) && (may_mount() || refuse(rights))) {
            return None;
        }
        let folder = ScratchFolder::new_in(std::env::temp_dir());
        let path = folder.path();
        for name in ["run", "conf/systemd/user"] {
            fs::create_dir_all(path.join(name)).expect("a folder");
        }
        fs::write(path.join("boot.sh"), BOOT).expect("a file");
        fs::write(path.join("journald.conf"), JOURNAL).expect("a file");
        fs::write(path.join("conf/systemd/user/default.target"), "[Unit]\nDescription=nothing\n").expect("a file");

        let group = format!("canstop-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let log = fs::File::create(path.join("boot.log")).expect("a file");
        let mut command = unshare();
        command.arg("bash").arg(path.join("boot.sh")).arg(group).arg(path);
        command.env("HOME", path).env("XDG_CONFIG_HOME", path.join("conf")).env("XDG_RUNTIME_DIR", path.join("run"));
        command.stdout(log.try_clone().expect("a file")).stderr(log);
        let systemd = Self { namespaces: Daemon::start(&mut command), folder };
        let is_up = || ["running", "degraded"].contains(&&*systemd.systemctl(&["is-system-running"]));
        assert!(
            eventually(is_up),
            "{}",
            fs::read_to_string(systemd.folder.path().join("boot.log")).unwrap_or_default()
        );
        Some(systemd)
    }

    /// Writes a unit of this name and type, such as `shop.service`.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write_unit(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("conf/systemd/user").join(name), text).expect("a file");
        self.systemctl(&["daemon-reload"]);
    }

    /// Writes the unit of a service, with these lines in its section.
    pub fn write_service(&self, name: &str, service: &Service, lines: &[&str]) {
        let run = service.folder().join("run");
        fs::write(&run, service.script()).expect("a file");
        self.write_program(name, &format!("/bin/sh {}", run.display()), lines);
    }

    /// Writes the unit of a program that writes to the journal, with these lines in its section.
    pub fn write_program(&self, name: &str, command: &str, lines: &[&str]) {
        let lines = lines.join("\n");
        let unit = format!(
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart={command}\nEnvironment=CANSTOP_PLATFORM=none\n\
             SyslogIdentifier={name}\nLimitCORE=0\n{lines}\n"
        );
        self.write_unit(&format!("{name}.service"), &unit);
    }

    /// A command of `systemctl` for this manager.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.inside("systemctl");
        command.arg("--user").args(arguments);
        command
    }

    /// Runs `systemctl`, and returns what it writes.
    pub fn systemctl(&self, arguments: &[&str]) -> String {
        output_of(&mut self.command(arguments))
    }

    /// A property of a unit.
    #[must_use]
    pub fn show(&self, unit: &str, property: &str) -> String {
        self.systemctl(&["show", unit, "-P", property])
    }

    /// What the journal has of a service: its own lines, and those of systemd.
    #[must_use]
    pub fn journal(&self, name: &str) -> String {
        let mut command = self.inside("journalctl");
        command.args(["-D", "/run/log/journal", "-o", "cat"]);
        output_of(command.args([&format!("SYSLOG_IDENTIFIER={name}"), "+", &format!("USER_UNIT={name}.service")]))
    }

    /// A program in the namespaces: systemd answers to no process that it cannot see.
    fn inside(&self, program: &str) -> Command {
        let id = self.namespaces.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let mut command = Command::new("nsenter");
        // Before there is a child, this fails.
        command.args(["--mount", "--pid", "--target", children.split(' ').next().unwrap_or_default(), program]);
        command.env("XDG_RUNTIME_DIR", self.path("run"));
        command
    }

    /// A path in its folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Returns true if this process may do what the boot does.
fn may_mount() -> bool {
    const MOUNT: &str = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup";
    let mut command = unshare();
    command.args(["sh", "-c", MOUNT]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A command in namespaces of its own.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(NAMESPACES);
    command
}

impl Drop for Systemd {
    fn drop(&mut self) {
        self.systemctl(&["exit"]);
        self.namespaces.reap();
    }
}

//! supervisord with one program, and `supervisorctl` to command it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use canstop_managers::{Daemon, Service};

use crate::{End, Manager, Signal};

pub(crate) struct Supervisord {
    /// Dropped, it stops its program, kills it if need be, and ends.
    _daemon: Daemon,
    folder: PathBuf,
}

impl Supervisord {
    fn ctl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("supervisorctl");
        command.arg("-c").arg(self.folder.join("conf")).args(arguments).arg("service");
        command
    }
}

impl Manager for Supervisord {
    const PACKAGE: &str = "supervisor";
    const PROGRAMS: &[&str] = &["supervisord", "supervisorctl"];

    fn start(service: &Service, limit: Duration) -> Self {
        let folder = service.folder().join("supervisor");
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("run"), service.script()).expect("a file");
        let (path, seconds) = (folder.display(), limit.as_secs());
        let conf = format!(
            "[supervisord]\n\
             nodaemon=true\n\
             logfile={path}/log\n\
             pidfile={path}/pid\n\
             [unix_http_server]\n\
             file={path}/socket\n\
             [rpcinterface:supervisor]\n\
             supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
             [supervisorctl]\n\
             serverurl=unix://{path}/socket\n\
             [program:service]\n\
             command=/bin/sh {path}/run\n\
             stopwaitsecs={seconds}\n\
             startsecs=0\n\
             autorestart=true\n"
        );
        fs::write(folder.join("conf"), conf).expect("a file");
        let mut command = Command::new("supervisord");
        command.arg("-c").arg(folder.join("conf")).stdout(Stdio::null()).stderr(Stdio::null());
        Self { _daemon: Daemon::start(&mut command), folder }
    }

    fn stop(&self) -> Command {
        self.ctl(&["stop"])
    }

    fn restart(&self) -> Command {
        self.ctl(&["restart"])
    }

    fn signal(&self, signal: Signal) -> Command {
        self.ctl(&[
            "signal",
            match signal {
                Signal::Terminate => "TERM",
                Signal::Hangup => "HUP",
            },
        ])
    }

    fn ends(&self) -> Vec<End> {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let end = |line: &str| {
            let (_, how) = line.split_once("exited: service (").or_else(|| line.split_once("stopped: service ("))?;
            let how = how.split([';', ')']).next()?;
            Some(match how.strip_prefix("exit status ") {
                Some(code) => End::Code(code.parse().expect("a number")),
                None if how == "terminated by SIGKILL" => End::KILLED,
                None if how == "terminated by SIGHUP" => End::HUNG_UP,
                None => panic!("an unexpected end: {line}"),
            })
        };
        log.lines().filter_map(end).collect()
    }
}

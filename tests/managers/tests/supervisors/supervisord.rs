//! supervisord with one program, and `supervisorctl` to command it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use canstop_managers::{Daemon, Service, is_installed};

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
    fn start(service: &Service, limit: Duration) -> Option<Self> {
        if !is_installed("supervisor", &["supervisord", "supervisorctl"]) {
            return None;
        }
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
        Some(Self { _daemon: Daemon::start(&mut command), folder })
    }

    fn stop(&self) -> Command {
        self.ctl(&["stop"])
    }

    fn restart(&self) -> Command {
        self.ctl(&["restart"])
    }

    /// By its interface for programs: `supervisorctl` needs seconds on a busy machine, in which a drain ends.
    fn signal(&self, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => "TERM",
            Signal::Hangup => "HUP",
        };
        let parameter = |text: &str| format!("<param><value><string>{text}</string></value></param>");
        let body = format!(
            "<?xml version='1.0'?><methodCall><methodName>supervisor.signalProcess</methodName><params>{}{}</params>\
             </methodCall>",
            parameter("service"),
            parameter(signal)
        );
        let mut stream = UnixStream::connect(self.folder.join("socket")).expect("it listens");
        let length = body.len();
        let head = format!("POST /RPC2 HTTP/1.0\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + &body).as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.contains("<boolean>1</boolean>"), "{answer}");
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
